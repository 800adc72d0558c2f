#include "client_cert.h"

#include <utility>

#include "certificate_request.h"

namespace tls_client_cert {

int ClientCert::Decide(SSL* ssl, ExternalSignature* signature,
                       X509** certificate, EVP_PKEY** key) {
  switch (state_) {
    case State::kIdle:
      state_ = State::kAsked;
      attempt_++;
      return -1;
    case State::kAsked:
      return -1;
    case State::kDeclined:
      // What was installed for an earlier request did not suit this one. It
      // goes: whoever declines is asked again the next time.
      SSL_certs_clear(ssl);
      return 0;
    case State::kAnswered:
      break;
  }
  // The callback's two results cannot carry a chain (BUGS in the manual page),
  // so the whole credential is loaded here and its leaf and key handed over
  // once more. No return value aborts a handshake: -1 keeps it where it is
  // until the connection, which sees install_failed, gives it up.
  if (!Install(ssl, *credential_, signature) ||
      X509_up_ref(credential_->certificate()) != 1) {
    install_failed_ = true;
    return -1;
  }
  EVP_PKEY* installed = SSL_get_privatekey(ssl);
  if (installed == nullptr || EVP_PKEY_up_ref(installed) != 1) {
    X509_free(credential_->certificate());
    install_failed_ = true;
    return -1;
  }
  *certificate = credential_->certificate();
  *key = installed;
  return 1;
}

void ClientCert::Reset() {
  state_ = State::kIdle;
  attempt_ = 0;
  credential_.reset();
}

bool ClientCert::Answer(Credential::Pointer credential) {
  if (!LeaveAsked(State::kAnswered)) return false;
  credential_ = std::move(credential);
  return true;
}

bool ClientCert::LeaveAsked(State next) {
  if (state_ != State::kAsked) return false;
  state_ = next;
  return true;
}

bool ClientCert::Install(SSL* ssl, const Credential& credential,
                         ExternalSignature* signature) {
  EvpPkeyPointer external;
  EVP_PKEY* key = credential.key();
  if (credential.is_external()) {
    std::vector<SignatureScheme> schemes = credential.schemes();
    const SchemeChoice choice = ChooseScheme(ssl, credential);
    if (!schemes.empty() && choice.scheme != 0) schemes = {choice.scheme};
    external = MakeExternalKey(X509_get0_pubkey(credential.certificate()),
                               schemes, signature);
    if (!external) return false;
    key = external.get();
  }
  // One identity at a time: OpenSSL keeps a slot for each type of key, and may
  // sign with whichever fits.
  SSL_certs_clear(ssl);
  return SSL_use_certificate(ssl, credential.certificate()) == 1 &&
         SSL_use_PrivateKey(ssl, key) == 1 &&
         SSL_set1_chain(ssl, credential.chain()) == 1;
}

}  // namespace tls_client_cert
