import eslint from '@eslint/js'
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

export default defineConfig(
  globalIgnores(['dist/', 'coverage/', '.cache/', 'autobahn/reports/']),
  {
    files: ['**/*.{ts,js,mjs}'],
    extends: [
      eslint.configs.recommended,
      tseslint.configs.strictTypeChecked,
      tseslint.configs.stylisticTypeChecked,
    ],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    // An exception is argued here, where everybody reads it, and never in a comment beside the code.
    linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex:
                '^(?!node:)(assert|buffer|crypto|events|fs|http|https|net|os|path|stream|tls|url|util|zlib)(/|$)',
              message: 'Write the node: prefix.',
            },
          ],
        },
      ],

      // TypeScript resolves names, with the types of Node; the rule knows no globals.
      'no-undef': 'off',
      // noUncheckedIndexedAccess makes every indexed read possibly undefined. Where the loop's bound has
      // answered that, `!` says so at no cost; a check would be a branch that no test can reach.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // `(error) => done(error)` is how a callback is handed on.
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      // A number prints as one expects, in `WS_ERR_...: code ${code}` and everywhere else.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // An empty string from the environment or a zero is meant to be replaced too where `||` is written.
      '@typescript-eslint/prefer-nullish-coalescing': [
        'error',
        { ignorePrimitives: { string: true, number: true, boolean: true } },
      ],
      // On the hot path a loop by index is a decision: an iterator is an object and two calls a turn.
      '@typescript-eslint/prefer-for-of': 'off',
      // A walk along a linked list begins at `this`.
      '@typescript-eslint/no-this-alias': 'off',
      // A parser's loop ends from within.
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      // A leading underscore marks a parameter that a signature requires and the body does not read.
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
    },
  },
  {
    // A file holds one thing and a function fits a screen; comments and blank lines are not counted.
    files: ['src/**/*.ts'],
    rules: {
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      complexity: ['error', 25],
      // Callers in JavaScript hand over what the types exclude, and are told so; and a field may have changed in the
      // call between two reads of it, which the compiler's narrowing does not see.
      '@typescript-eslint/no-unnecessary-condition': 'off',
    },
  },
  {
    // A test may hand over an empty listener, an async function that awaits nothing, or a value of the wrong
    // type: those are what it tests.
    files: ['test/**/*.ts', 'bench/**/*.{ts,js,mjs}'],
    rules: {
      '@typescript-eslint/no-empty-function': 'off',
      // An async listener that rejects fails the run: vitest takes every unhandled rejection for an error.
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    // JavaScript has no annotation for what JSON.parse returns; the compiler's checkJs still finds a misuse of
    // what has a type.
    files: ['**/*.{js,mjs}'],
    rules: {
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  {
    // Programs for the terminal speak through the console.
    files: ['scripts/**', 'bench/**', 'autobahn/**', 'examples/**', 'test/support/**'],
    rules: { 'no-console': 'off' },
  },
)
