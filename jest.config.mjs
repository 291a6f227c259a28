// Middy is ESM only, so Jest runs with --experimental-vm-modules and swc strips the types.
const base = {
  extensionsToTreatAsEsm: ['.ts'],
  testEnvironment: 'node',
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2024' }, module: { type: 'es6' } },
    ],
  },
  testPathIgnorePatterns: ['/node_modules/', '/cdk.out/', '/.local/', '/test/e2e/'],
  modulePathIgnorePatterns: ['/cdk.out/', '/.local/'],
  testMatch: ['**/test/**/*.test.ts'],
  setupFiles: ['<rootDir>/test/support/quiet.ts'],
  // Real emulators and chains on a busy machine; what hangs is still ended.
  testTimeout: 60_000,
}
export default base
