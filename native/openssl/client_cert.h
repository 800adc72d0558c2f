// The registered client_cert_cb: one request is one question, however often
// OpenSSL calls.
#ifndef TLS_CLIENT_CERT_OPENSSL_CLIENT_CERT_H_
#define TLS_CLIENT_CERT_OPENSSL_CLIENT_CERT_H_

#include <optional>

#include "credential.h"
#include "external_key.h"
#include "failure.h"
#include "pointers.h"

namespace tls_client_cert {

class ClientCert {
 public:
  enum class State { kIdle, kAsked, kAnswered, kDeclined };

  // The body of SSL_CTX_set_client_cert_cb(3): 1, 0, or -1 to suspend.
  // `signature` is for a credential whose key is external.
  int Decide(SSL* ssl, ExternalSignature* signature, X509** certificate,
             EVP_PKEY** key);

  // A new request arrived: what was decided for the last one is over.
  void Reset();

  State state() const { return state_; }
  // What was answered.
  const Credential::Pointer& credential() const { return credential_; }
  // How often the question of this request was put, from 1.
  int attempt() const { return attempt_; }

  // The three ways on from kAsked. In any other state there is no question,
  // or no more: they return false and change nothing.
  bool Answer(Credential::Pointer credential);
  bool Decline() { return LeaveAsked(State::kDeclined); }
  bool AskAgain() { return LeaveAsked(State::kIdle); }

  // Loads leaf, key and chain into `ssl`, in the one order that keeps the
  // chain. False leaves the reason in the error queue.
  static bool Install(SSL* ssl, const Credential& credential,
                      ExternalSignature* signature);

  // Set when a credential that was answered could not be loaded.
  bool install_failed() const { return install_failed_; }

 private:
  bool LeaveAsked(State next);

  State state_ = State::kIdle;
  int attempt_ = 0;
  bool install_failed_ = false;
  Credential::Pointer credential_;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_CLIENT_CERT_H_
