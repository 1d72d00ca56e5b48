import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/index.js';
import { answerParent } from './child.js';

/** The state, in a separate process as in production. */
let simulator: Simulator | undefined;

const control = () => {
  if (simulator === undefined) throw new Error('no simulator was started');
  return simulator.control;
};

/** Makes the names of each call new. */
let renames = 0;

answerParent({
  async start(options: SimulatorOptions) {
    await simulator?.close();
    simulator = await startSimulator(options);
    const { url, demo } = simulator;
    return { url, demo };
  },
  setOptions: (options: Parameters<Simulator['control']['setOptions']>[0]) => control().setOptions(options),
  /** The number of calls that fetched the full list. */
  wholeLists: () =>
    control()
      .requests()
      .filter(({ action, transactionStart }) => action === 'sync_vendor' && (transactionStart ?? 0) === 0).length,
  /** The size of the largest response so far, in bytes. */
  largestBody: () =>
    Math.max(
      0,
      ...control()
        .requests()
        .map(({ bytes }) => bytes),
    ),
  /** Renames every `step`th license. */
  renameOneOf(step: number) {
    const locations = new Set(
      control()
        .rows()
        .map(({ location }) => location),
    );
    const renamed = [...locations].filter((_location, index) => index % step === 0);
    for (const [index, location] of renamed.entries())
      control().rename({ location, name: `RENAMED SITE ${renames}-${index}` });
    renames += 1;
    return renamed.length;
  },
});
