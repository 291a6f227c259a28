/**
 * An answer that AWS would give as an error. `code` is the name by which the SDKs find their error class;
 * messages are AWS's own where one was found, so that code which matches on them behaves the same here.
 */
export class AwsError extends Error {
  readonly code: string
  readonly status: number
  /** Further members of the error's shape, for instance `OriginalStatusCode` of ModelError. */
  readonly details: Record<string, unknown>

  constructor(code: string, message: string, status = 400, details: Record<string, unknown> = {}) {
    super(message)
    this.name = code
    this.code = code
    this.status = status
    this.details = details
  }
}

/**
 * SageMaker answers most wrong requests with this, missing things too: `DescribeTrainingJob` of an unknown
 * job is no ResourceNotFound, whatever the API reference says (aws-sdk issue 165).
 */
export function validationException(message: string): AwsError {
  return new AwsError('ValidationException', message)
}

/** The runtime's counterpart has another name than the control plane's. */
export function validationError(message: string): AwsError {
  return new AwsError('ValidationError', message)
}
