import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createControl, type SimulatorControl } from './control.js';
import { createControlListener } from './control-listener.js';
import { DEMO_USER, LIMITED_USER, SECOND_USER } from './demo.js';
import { type SimulatorOptions, toSetup } from './options.js';
import { createProtocolListener } from './protocol-listener.js';
import { Simulation } from './simulation.js';

export interface SimulatorLogin {
  readonly ubi: string;
  readonly username: string;
  readonly password: string;
}

export interface Simulator {
  /** The base URL of the simulated BioTrack API. */
  readonly url: string;
  readonly controlUrl: string;
  /** The initial users: the demo user, one without the privilege `sync_vendor`, and one of another UBI. */
  readonly users: readonly SimulatorLogin[];
  /** The same for every state and seed. Its UBI owns several sites. */
  readonly demo: SimulatorLogin;
  readonly control: SimulatorControl;
  /** Closes both ports and all connections. Can be called twice. */
  close(): Promise<void>;
}

export const startSimulator = async (options: SimulatorOptions = {}): Promise<Simulator> => {
  const setup = toSetup(options);
  const simulation = new Simulation(setup);
  // Generates the data now, so that the first call is not slower than the others.
  simulation.getDataSet(false);
  const protocol = createProtocolListener(simulation);
  const control = createControl(simulation, protocol);
  const controlApp = createControlListener(control);
  protocol.listen(setup.port, setup.host);
  await once(protocol, 'listening');
  try {
    await controlApp.listen({ port: setup.controlPort, host: setup.host });
  } catch (error) {
    protocol.close();
    throw error;
  }
  return {
    url: toUrl(setup.host, protocol),
    controlUrl: toUrl(setup.host, controlApp.server),
    users: [DEMO_USER, LIMITED_USER, SECOND_USER],
    demo: DEMO_USER,
    control,
    close: async () => {
      await Promise.all([closeServer(protocol), controlApp.close()]);
    },
  };
};

const closeServer = async (server: Server): Promise<void> => {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
};

const toUrl = (host: string, server: Server): string => {
  const { port } = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
};
