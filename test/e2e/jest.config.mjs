import base from '../../jest.config.mjs'

// A real local stack: minutes, not milliseconds, and one file after the other.
export default {
  ...base,
  rootDir: '../..',
  testMatch: ['<rootDir>/test/e2e/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/cdk.out/', '/.local/'],
  setupFiles: [],
  testTimeout: 1_200_000,
}
