// What OpenSSL calls: each only takes down what the operation that entered
// OpenSSL will report.
#include <atomic>
#include <utility>

#include "connection.h"

namespace tls_client_cert {

namespace {

using Certificate = HandshakeLog::Certificate;

// More than any server sends at once; the newest are kept.
constexpr size_t kMaxNewSessions = 8;

// One index for the process, which is how OpenSSL hands them out. Below 0 for
// want of memory, which the next call may find.
int ConnectionIndex() {
  static std::atomic<int> index{-1};
  int known = index;
  if (known >= 0) return known;
  const int made = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  // Another thread's counts if it was first; then ours is of no use to anybody.
  if (made < 0 || index.compare_exchange_strong(known, made)) return made;
  return known;
}

}  // namespace

bool Connection::Attach() {
  return SSL_set_ex_data(ssl_.get(), ConnectionIndex(), this) == 1;
}

void Connection::RegisterCallbacks(SSL_CTX* ctx) {
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(ctx, VerifyServer, nullptr);
  SSL_CTX_set_cert_cb(ctx, OnCertificateRequest, nullptr);
  SSL_CTX_set_msg_callback(ctx, OnMessage);
  SSL_CTX_sess_set_new_cb(ctx, OnNewSession);
  SSL_CTX_set_tlsext_status_cb(ctx, OnOcspResponse);
}

void Connection::RegisterClientCertCallback(SSL_CTX* ctx, bool registered) {
  SSL_CTX_set_client_cert_cb(ctx, registered ? OnClientCert : nullptr);
}

Connection* Connection::FromSsl(const SSL* ssl) {
  return static_cast<Connection*>(SSL_get_ex_data(ssl, ConnectionIndex()));
}

// SSL_CTX_set_cert_verify_callback(3)
int Connection::VerifyServer(X509_STORE_CTX* store, void*) {
  SSL* ssl = static_cast<SSL*>(
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  return FromSsl(ssl)->verification_.Verify(ssl, store);
}

// SSL_CTX_set_cert_cb(3): OpenSSL calls it once for every request of the
// server's, before it looks for a certificate. 0 aborts with a fatal alert.
int Connection::OnCertificateRequest(SSL* ssl, void*) {
  Connection* self = FromSsl(ssl);
  self->client_cert_.Reset();
  if (self->established_) {
    self->phase_ = SSL_version(ssl) >= TLS1_3_VERSION
                       ? RequestPhase::kPostHandshake
                       : RequestPhase::kRenegotiation;
  }
  // Nobody will hear the answer, so nobody is bothered for it.
  if (self->abandoned_) {
    SSL_certs_clear(ssl);
    self->installed_.reset();
    return 1;
  }
  // The response came with the certificate, though OpenSSL tells of it later:
  // nothing leaves before whoever wanted it has seen it.
  if (self->options_.requests_ocsp && self->ocsp_ == Ocsp::kIdle &&
      self->phase_ != RequestPhase::kPostHandshake) {
    self->ocsp_ = Ocsp::kArrived;
  }
  if (self->ocsp_ == Ocsp::kArrived) return -1;
  // In TLS 1.2 the server's key is known by now.
  if (SSL_version(ssl) < TLS1_3_VERSION && self->DhKeyTooSmall()) return 0;
  // RFC 8740: on HTTP/2, which request is it about?
  if (self->phase_ == RequestPhase::kPostHandshake && AgreedOnHttp2(ssl)) {
    self->Fail({FailureReason::kForbiddenByHttp2, 0, "", {}});
    return 0;
  }
  if (self->options_.reselects && self->options_.credentials.empty()) {
    SSL_certs_clear(ssl);
    self->installed_.reset();
  }
  std::optional<Failure> why;  // not the first of them
  for (const Credential::Pointer& credential : self->options_.credentials) {
    if (auto found = self->WhyNotSent(*credential)) {
      if (!why) why = std::move(found);
      continue;
    }
    if (self->NeedsFibre(credential)) return -1;
    if (!ClientCert::Install(ssl, *credential, &self->signature_)) {
      self->Fail(TakeFailure(FailureReason::kNotSent));
      return 0;
    }
    self->installed_ = credential;
    return 1;
  }
  if (why) {
    self->Fail(std::move(*why));
    return 0;
  }
  const Credential::Pointer& installed = self->installed_;
  if (self->NeedsFibre(installed)) return -1;
  // Anew, because this request may want another scheme.
  if (installed && installed->is_external() &&
      !ClientCert::Install(ssl, *installed, &self->signature_)) {
    self->Fail(TakeFailure(FailureReason::kNotSent));
    return 0;
  }
  return 1;
}

// SSL_CTX_set_client_cert_cb(3)
int Connection::OnClientCert(SSL* ssl, X509** certificate, EVP_PKEY** key) {
  Connection* self = FromSsl(ssl);
  if (!self->options_.credentials.empty() || self->abandoned_) return 0;
  const ClientCert& answer = self->client_cert_;
  if (answer.state() == ClientCert::State::kAnswered &&
      self->NeedsFibre(answer.credential())) {
    return -1;
  }
  return self->client_cert_.Decide(ssl, &self->signature_, certificate, key);
}

// SSL_CTX_set_tlsext_status_cb(3), with or without a response. A server that
// asks for a certificate had it told of already.
int Connection::OnOcspResponse(SSL* ssl, void*) {
  Connection* self = FromSsl(ssl);
  if (self->ocsp_ == Ocsp::kIdle) self->ocsp_ = Ocsp::kArrived;
  return 1;
}

// SSL_set_psk_client_callback(3)
unsigned Connection::OnSharedKey(SSL* ssl, const char* hint, char* identity,
                                 unsigned identity_size, unsigned char* key,
                                 unsigned key_size) {
  return FromSsl(ssl)->shared_key_->Await(hint, identity, identity_size, key,
                                          key_size);
}

// SSL_CTX_set_keylog_callback(3)
void Connection::OnKeyLine(const SSL* ssl, const char* line) {
  Connection* self = FromSsl(ssl);
  if (self->logs_keys_) self->journal_->AddKeyLine(line);
}

// SSL_CTX_sess_set_new_cb(3): 1 keeps the reference.
int Connection::OnNewSession(SSL* ssl, SSL_SESSION* session) {
  Connection* self = FromSsl(ssl);
  // What the mark says the server was shown did not leave.
  if (self->abandoned_) return 0;
  if (!WriteSessionMark(session, self->mark_)) return 0;
  if (self->new_sessions_.size() == kMaxNewSessions) {
    self->new_sessions_.pop_front();
  }
  self->new_sessions_.emplace_back(session);
  return 1;
}

// OpenSSL answers it as soon as this returns: with a ClientHello, or, told not
// to, with a no_renegotiation alert.
void Connection::OnHelloRequest() {
  // In the middle of a handshake it means nothing (RFC 5246, 7.4.1.1).
  if (log_.in_handshake()) return;
  EndRenegotiation();  // the one just before it in the same read
  if ((SSL_get_options(ssl_.get()) & SSL_OP_NO_RENEGOTIATION) != 0) return;
  const auto reason = renegotiation_policy_.WhyRefuse(ssl_.get());
  if (!reason) return;
  SSL_set_options(ssl_.get(), SSL_OP_NO_RENEGOTIATION);
  Fail({*reason, 0, "", {}});
}

void Connection::OnTracedMessage(int outgoing, int version, int content_type,
                                 const void* message, size_t size, SSL* ssl,
                                 void* argument) {
  FromSsl(ssl)->journal_->Trace(
      outgoing, version, content_type,
      BytesView(static_cast<const uint8_t*>(message), size), ssl);
  OnMessage(outgoing, version, content_type, message, size, ssl, argument);
}

// SSL_CTX_set_msg_callback(3)
void Connection::OnMessage(int outgoing, int version, int content_type,
                           const void* message, size_t size, SSL* ssl, void*) {
  // Every record passes here: only handshake messages and alerts are ours.
  if (content_type != SSL3_RT_HANDSHAKE && content_type != SSL3_RT_ALERT) {
    return;
  }
  // Behind our close_notify OpenSSL passes over a request, and what it would
  // have said to it.
  if (version >= TLS1_3_VERSION &&
      (SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN) != 0 &&
      content_type == SSL3_RT_HANDSHAKE) {
    return;
  }
  Connection* self = FromSsl(ssl);
  self->buffers_left_ = true;
  const HandshakeLog::Note note =
      self->log_.Record(outgoing == 1, version, content_type,
                        BytesView(static_cast<const uint8_t*>(message), size));
  if (note == HandshakeLog::Note::kHelloRequest) {
    self->OnHelloRequest();
  } else if (note == HandshakeLog::Note::kNotRequested) {
    // Who was known before is not in the session that comes of this one.
    self->mark_.NotShownAgain();
    // Of a renegotiation nobody else looks at it, and data may follow at once.
    if (self->established_) self->DhKeyTooSmall();
  } else if (note == HandshakeLog::Note::kCertificateWritten) {
    if (self->log_.certificate() == Certificate::kSent) {
      if (self->fibre_ == Fibre::kNone) self->shown_ = self->installed_;
      // Never by somebody unknown; if it were, no session could be marked.
      const Credential::Pointer& shown = self->installed_;
      self->mark_.Shown(shown ? shown->fingerprint() : Bytes(),
                        self->phase_ == RequestPhase::kPostHandshake);
    } else {
      self->mark_.Declined();
    }
  }
}

}  // namespace tls_client_cert
