/** A command that makes no sense here: an unknown license, a fault that does not exist. The control port says it as JSON. */
export class CommandRefused extends Error {
  readonly status: number;

  constructor(message: string, status = 404) {
    super(message);
    this.name = 'CommandRefused';
    this.status = status;
  }
}
