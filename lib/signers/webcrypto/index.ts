/**
 * Keys of the Web Crypto API as signers.
 *
 * @packageDocumentation
 */
export { webCryptoSigner } from './signer';
