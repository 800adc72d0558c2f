// Whether the server is who it should be, settled before anything is revealed.
#ifndef TLS_CLIENT_CERT_OPENSSL_SERVER_VERIFICATION_H_
#define TLS_CLIENT_CERT_OPENSSL_SERVER_VERIFICATION_H_

#include "pointers.h"

namespace tls_client_cert {

// OpenSSL checks the chain; the name is the caller's to check, on a clean
// stack. In between, the handshake waits (SSL_set_retry_verify(3)): right
// after the server's Certificate, before any answer to its requests.
class ServerVerification {
 public:
  enum class State { kIdle, kAsked, kAccepted, kRefused };

  // The body of SSL_CTX_set_cert_verify_callback(3).
  int Verify(SSL* ssl, X509_STORE_CTX* store);

  State state() const { return state_; }
  // X509_V_OK, or why the chain is not trusted. From kAsked on.
  int chain_error() const { return chain_error_; }

  // From the leaf up to its anchor, as far as OpenSSL could build it. Null
  // unless kAsked.
  const STACK_OF(X509) * verified_chain() const {
    return verified_chain_.get();
  }

  // Both count in kAsked only: a server cannot be accepted before its chain
  // was checked, nor after it was refused.
  void Accept();
  // `error` is an X509_V_ERR_… code; it selects the alert that the server
  // is sent.
  void Refuse(int error);

 private:
  void CheckChain(X509_STORE_CTX* store);

  State state_ = State::kIdle;
  int chain_error_ = X509_V_OK;
  int refusal_ = X509_V_OK;
  X509StackPointer verified_chain_;
};

// The name behind X509_V_ERR_ for a code, for instance CERT_HAS_EXPIRED.
const char* VerifyErrorName(int error);

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_SERVER_VERIFICATION_H_
