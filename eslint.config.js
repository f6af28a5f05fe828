import eslint from '@eslint/js'
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

export default defineConfig(
  globalIgnores([
    'build/',
    'dist/',
    'packages/',
    'test/consumers/{engines,loaders,programs,types}/',
    // Its packages are installed by the bench that needs them.
    'bench/relay/socket-io/',
    'test/types/refused/',
    'coverage/',
    '.cache/',
    'autobahn/reports/',
  ]),
  {
    files: ['**/*.{ts,js,mjs}'],
    extends: [
      eslint.configs.recommended,
      tseslint.configs.strictTypeChecked,
      tseslint.configs.stylisticTypeChecked,
    ],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    // Exceptions are explained in this file. Comments in the code cannot turn a rule off.
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

      // TypeScript checks names; this rule does not know the globals.
      'no-undef': 'off',
      // noUncheckedIndexedAccess makes every indexed read possibly undefined. Within the bounds of a loop, `!` costs
      // nothing; a check would be a branch that no test can reach.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Allows `(error) => done(error)`.
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      // Numbers in templates need no conversion.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `||` is written where an empty string from the environment or a zero also means the default.
      '@typescript-eslint/prefer-nullish-coalescing': [
        'error',
        { ignorePrimitives: { string: true, number: true, boolean: true } },
      ],
      // Hot paths loop by index: an iterator costs an object, and two calls for each element.
      '@typescript-eslint/prefer-for-of': 'off',
      // Loops along a linked list start at `this`.
      '@typescript-eslint/no-this-alias': 'off',
      // Allows `while (true)`: parsers leave their loops with `return`.
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      // A leading underscore marks a parameter that the signature requires and the function does not use.
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
    // A file has one subject and a function fits on a screen. Comments and blank lines are not counted.
    files: ['src/**/*.ts'],
    rules: {
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      complexity: ['error', 25],
      // Callers in JavaScript may pass what the types exclude, so arguments are checked. And a call can change a field
      // between two reads, which the compiler's narrowing ignores.
      '@typescript-eslint/no-unnecessary-condition': 'off',
    },
  },
  {
    // The client for pages says on the console, by default, that a connection was lost: once an outage.
    files: ['src/browser/**'],
    rules: { 'no-console': ['error', { allow: ['warn'] }] },
  },
  {
    // Tests pass empty listeners, async functions without await, and values of the wrong type on purpose.
    files: ['test/**/*.ts', 'bench/**/*.{ts,js,mjs}'],
    rules: {
      '@typescript-eslint/no-empty-function': 'off',
      // An async listener that rejects fails the run, because vitest reports every unhandled rejection.
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    // JSON.parse returns `any`, which JavaScript cannot annotate. checkJs still checks everything that has a type.
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
    // Command-line programs print to the console.
    files: [
      'scripts/**',
      'bench/**',
      'autobahn/**',
      'examples/**',
      'test/support/**',
      'test/server/programs/**',
      'test/examples/newcomers/**',
    ],
    rules: { 'no-console': 'off' },
  },
)
