import ts from 'typescript'

/** The modules that a source, a declaration file or a JavaScript file imports or re-exports, types included. */
export function importsOf(text: string): string[] {
  return ts.preProcessFile(text, true, true).importedFiles.map((reference) => reference.fileName)
}
