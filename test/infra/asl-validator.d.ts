declare module 'asl-validator' {
  /** @see https://www.npmjs.com/package/asl-validator */
  export default function validate(
    definition: unknown,
    options?: { checkPaths?: boolean; checkArn?: boolean },
  ): { isValid: boolean; errors: Array<{ 'Error code': string; Message: string }> }
}
