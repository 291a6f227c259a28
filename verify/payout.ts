export type PayoutExpectations = {}
export async function verifyPayout(): Promise<void> {}
