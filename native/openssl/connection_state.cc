// What a connection knows of itself and of its peer.
#include "connection.h"
#include "session_facts.h"

namespace tls_client_cert {

SecretBytes Connection::session() const {
  const ErrorMark errors;
  const SslSessionPointer session(SSL_get1_session(ssl_.get()));
  if (!established_ || !session ||
      SSL_SESSION_is_resumable(session.get()) != 1) {
    return {};
  }
  // One that came up earlier was made as whom the server knew then.
  if (!ReadSessionMark(session.get()) &&
      !WriteSessionMark(session.get(), mark_)) {
    return {};
  }
  return SerializeSession(session.get());
}

int Connection::static_credential() const {
  const Credential::Pointer& in_use =
      resumed_ && !installed_ ? resumption_.credential() : installed_;
  for (size_t i = 0; i < options_.credentials.size(); i++) {
    if (options_.credentials[i] == in_use) return static_cast<int>(i);
  }
  return -1;
}

int Connection::server_chain_error() const {
  return verification_.state() == ServerVerification::State::kAsked
             ? verification_.chain_error()
             : static_cast<int>(SSL_get_verify_result(ssl_.get()));
}

HandshakeLog::Certificate Connection::certificate() const {
  const bool waits = signature_.state() != ExternalSignature::State::kIdle;
  return waits ? HandshakeLog::Certificate::kRequested : log_.certificate();
}

bool Connection::by_shared_key() const {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_.get());
  if (cipher == nullptr || !shared_key_) return false;
  if (SSL_CIPHER_get_auth_nid(cipher) == NID_auth_psk) return true;
  // On TLS 1.3 it looks like a session; every other server has a certificate.
  return SSL_version(ssl_.get()) >= TLS1_3_VERSION && session_reused() &&
         peer_certificate() == nullptr;
}

const char* Connection::protocol() const { return SSL_get_version(ssl_.get()); }

CipherNames Connection::cipher() const {
  CipherNames names;
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_.get());
  if (cipher == nullptr) return names;
  names.name = SSL_CIPHER_get_name(cipher);
  names.standard = SSL_CIPHER_standard_name(cipher);
  names.version = SSL_CIPHER_get_version(cipher);
  return names;
}

BytesView Connection::alpn_protocol() const {
  const uint8_t* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &protocol, &size);
  return BytesView(protocol, size);
}

const STACK_OF(X509) * Connection::peer_chain() const {
  return SSL_get_peer_cert_chain(ssl_.get());
}

X509* Connection::peer_certificate() const {
  return SSL_get0_peer_certificate(ssl_.get());
}

const STACK_OF(X509) * Connection::verified_chain() const {
  // While the server is being judged the SSL does not have it yet.
  const STACK_OF(X509)* chain = verification_.verified_chain();
  return chain != nullptr ? chain : SSL_get0_verified_chain(ssl_.get());
}

}  // namespace tls_client_cert
