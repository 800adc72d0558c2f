/**
 * Ready-made answers to a server's request for a client certificate.
 *
 * @packageDocumentation
 */
export type { Reason, ReasonCode } from './reasons';
export {
  type ExplainOptions,
  type Explanation,
  explain,
  type FirstMatchOptions,
  firstMatch,
  type NoMatchHandler,
} from './select';
export type { CredentialFinder, CredentialSource, FoundCredentials } from './sources';
