/** A command or option is invalid: an unknown license, a fault that does not exist. `status` is the HTTP status. */
export class CommandError extends Error {
  readonly status: number;

  constructor(message: string, status = 404) {
    super(message);
    this.name = 'CommandError';
    this.status = status;
  }
}
