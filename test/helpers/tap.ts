import tap from 'tap';

type T = typeof tap;

let current: T = tap;

/** Makes `t` the test of the file that is about to be loaded. */
export function setFileTest(test: unknown): void {
  current = test as T;
}

/**
 * What `import t from 'tap'` means in a test file that the runner has compiled: the test of this file, since one process
 * runs several files, one after the other.
 */
export default new Proxy({} as T, {
  get: (_target, name) => {
    const value: unknown = Reflect.get(current, name, current);
    return typeof value === 'function' ? value.bind(current) : value;
  },
});
