/**
 * Client certificates whose keys are on smart cards, USB keys and HSMs, by PKCS#11.
 *
 * @packageDocumentation
 */
export type { Pkcs11Identity } from './identity';
export {
  type OpenPkcs11Options,
  openPkcs11,
  Pkcs11Module,
  type Pkcs11ModuleOptions,
} from './module';
export type { PinAnswer, PinCallback, PinRequest } from './pin';
export type { Pkcs11Token, TriesLeft } from './token';
export { type Pkcs11ObjectType, Pkcs11Uri, type Pkcs11UriAttributes } from './uri';
