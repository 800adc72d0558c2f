/** Scenarios that once broke an invariant, each as short as it could be made. */
import type { Scenario, Setup } from './scenario';

const SETUP: Setup = {
  peer: 'node',
  protocol: 'TLSv1.3',
  transport: 'auto',
  reading: 'flowing',
  asksFirst: false,
  allowHalfOpen: false,
  reselect: false,
  requires: false,
  preset: false,
  highWaterMark: null,
  answers: [],
};

export const REGRESSIONS: Readonly<Record<string, Scenario>> = {
  "a signer's certificate, and a request that comes behind our end": {
    setup: { ...SETUP, peer: 'python', asksFirst: true, answers: ['at once signer'] },
    steps: ['secured', 'sign', 'turn', 'peer ask', 'turn', 'end'],
  },
};
