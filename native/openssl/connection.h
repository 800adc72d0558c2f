// One client connection as a machine without I/O: ciphertext is fed in and
// drained, every operation returns what it needs next.
#ifndef TLS_CLIENT_CERT_OPENSSL_CONNECTION_H_
#define TLS_CLIENT_CERT_OPENSSL_CONNECTION_H_

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bytes.h"
#include "certificate_request.h"
#include "client_cert.h"
#include "context.h"
#include "credential.h"
#include "external_key.h"
#include "failure.h"
#include "handshake_log.h"
#include "journal.h"
#include "pointers.h"
#include "renegotiation_policy.h"
#include "resumption.h"
#include "server_verification.h"
#include "session_mark.h"
#include "shared_key.h"

namespace tls_client_cert {

enum class Step {
  kDone,
  kWantRead,        // feed ciphertext, then call again
  kWantVerify,      // judge the server (Accept/RefuseServer), then call again
  kWantClientCert,  // the server asked (Answer, Decline, AskAgain), then again
  kClosed,          // the peer sent close_notify
  kFailed,          // failure() says why; no call will succeed any more
  kNewSession,      // a session to keep: TakeSession, then call again
  kRenegotiated,    // TLS 1.2: another handshake is complete; call again
  kWantSignature,   // signature_request() is to be signed (Sign), then again
  kOcspResponse,    // TakeOcspResponse, then call again
  kWantSharedKey,   // shared_key() is to be answered or refused, then again
};

struct ConnectionOptions {
  std::string server_name;  // SNI; empty: none is sent
  Bytes alpn_protocols;     // wire form, RFC 7301, section 3.1; empty: none
  // Set in advance: with any of these nobody is asked.
  std::vector<Credential::Pointer> credentials;
  // Someone waits for this connection's questions, whatever the context has.
  bool asks_for_client_cert = false;
  // TLS 1.3: whether the server is told that it may ask later.
  bool post_handshake_auth = false;
  // Every request is a question, even where the last answer would do.
  bool reselects = false;
  RenegotiationLimit renegotiation_limit;
  // To be resumed, in DER; empty: none. It is offered only if it was made
  // under the same trust, and as who this connection would be: one of
  // `credentials`, or `session_credential`, or nobody at all.
  SecretBytes session;
  Credential::Pointer session_credential;
  // `session` was made when a request was declined, which is still wanted.
  bool session_declined = false;
  // No use for a session in which the server knows nobody.
  bool requires_client_cert = false;
  // Asks the server for its stapled OCSP response, and stops at it once.
  bool requests_ocsp = false;
  // The least that a Diffie-Hellman group of the server's has to have.
  int min_dh_bits = 0;
  // Offers keys shared in advance. Without fibres (ExternalKeysWork) there is
  // no waiting for them.
  bool has_shared_keys = false;
};

// `size` bytes were read or written; `step` is kDone if any were.
struct Transfer {
  Step step = Step::kDone;
  size_t size = 0;
  // Of reading: another call would be kWantRead.
  bool exhausted = false;
};

// What kWantSignature wants.
struct SignatureRequest {
  SignatureScheme scheme = 0;
  BytesView data;  // before any digest
};

struct CipherNames {
  const char* name = nullptr;      // OpenSSL's
  const char* standard = nullptr;  // RFC 8446's or IANA's
  const char* version = nullptr;   // the lowest protocol version that has it
};

// All callbacks that OpenSSL makes only record; the operation that entered
// OpenSSL reports the record once it is out again. Not thread-safe.
class Connection {
 public:
  static Result<std::unique_ptr<Connection>> Create(Context::Pointer context,
                                                    ConnectionOptions options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Ciphertext from the peer. It is copied.
  void Receive(BytesView ciphertext);
  // The peer will send no more, whether or not it said so within TLS.
  void ReceiveEnd();
  // Ciphertext that arrived and was not yet used.
  size_t unread() const { return incoming_.size(); }
  // The peer sent close_notify, though a Read may still have to tell of it.
  bool closed_by_peer() const;
  // For whoever receives into it without a copy, in place of Receive.
  ByteQueue& incoming() { return incoming_; }
  // Ciphertext for the peer: take it and send it after every operation.
  ByteQueue& outgoing() { return outgoing_; }
  // How much of what the peer made us write after the handshake is still on
  // its way: whoever takes it out of the queue says so, and when it is sent.
  void set_unsent_answers(size_t size) { unsent_answers_ = size; }

  Step Handshake();
  // With `quiet` notices wait for another call: somebody has bytes to report
  // first.
  Transfer Read(uint8_t* plaintext, size_t size, bool quiet = false);
  Transfer Write(BytesView plaintext);
  // Sends close_notify, and does not wait for the peer's. kWantRead while a
  // handshake is under way.
  Step Shutdown();

  // TLS 1.2: begins a full handshake within the connection. Reading leads to
  // kRenegotiated. A failure is only of this call.
  std::optional<Failure> Renegotiate();
  // From now on a server that asks for a renegotiation fails the connection.
  void DisableRenegotiation() { renegotiation_policy_.Disable(); }

  // In answer to kWantVerify. `error` is an X509_V_ERR_… code.
  // After a resumption it is what was found when the session was made.
  int server_chain_error() const;
  void AcceptServer() { verification_.Accept(); }
  void RefuseServer(int error) { verification_.Refuse(error); }

  // In answer to kWantClientCert.
  CertificateRequest request() const;
  int attempt() const { return client_cert_.attempt(); }
  std::optional<Failure> WhyNotSent(const Credential& credential) const;
  bool asked() const {
    return client_cert_.state() == ClientCert::State::kAsked;
  }
  void Answer(Credential::Pointer credential);
  void Decline();
  void AskAgain() { client_cert_.AskAgain(); }

  // In answer to kWantSignature. A wrong signature changes nothing.
  SignatureRequest signature_request() const;
  std::optional<Failure> Sign(BytesView signature);

  // In answer to kOcspResponse: what the server stapled, in DER. Empty when it
  // had nothing.
  BytesView TakeOcspResponse();

  // In answer to kWantSharedKey. Only with ConnectionOptions::has_shared_keys.
  SharedKey& shared_key() { return *shared_key_; }
  bool wants_shared_key() const {
    return shared_key_ && shared_key_->state() == SharedKey::State::kAsked;
  }

  // From the next message on, or not any more: what is written down.
  void LogKeys(bool on);
  // False where OpenSSL cannot.
  bool Trace();
  // Null before any of these.
  Journal* journal() { return journal_.get(); }
  bool has_written_down() const { return journal_ && !journal_->empty(); }

  // SSL_set_max_send_fragment(3): false for sizes that TLS does not have.
  bool SetMaxSendFragment(int size);

  // The peer is gone, and no answer will reach it: nothing is written from
  // now on, and the operations go on to what it had to say at last.
  void Abandon();

  // In answer to kNewSession: the session in DER, or nothing unless `wanted`.
  SecretBytes TakeSession(bool wanted = true);

  // What happened so far.
  const HandshakeLog& log() const { return log_; }
  // As in the log, but that a Certificate which waits to be signed has not
  // left.
  HandshakeLog::Certificate certificate() const;
  const std::optional<Failure>& failure() const { return failure_; }
  // Which of ConnectionOptions::credentials was loaded, or -1.
  int static_credential() const;
  // Whether the first handshake, or a full one since, was spared by a session.
  bool resumed() const { return resumed_; }
  // The session was made under a certificate: with static_credential() -1 it
  // was ConnectionOptions::session_credential.
  bool resumed_as_somebody() const {
    return resumed_ && resumption_.credential() != nullptr;
  }
  // Whether the last handshake resumed a session, SSL_session_reused(3).
  bool session_reused() const { return SSL_session_reused(ssl_.get()) == 1; }
  // The current session in DER; empty before there is one.
  SecretBytes session() const;
  // For session_facts.h.
  SSL* ssl() const { return ssl_.get(); }
  // By a key shared in advance each side has shown who it is, and no
  // certificate was needed.
  bool by_shared_key() const;
  const char* protocol() const;
  CipherNames cipher() const;
  BytesView alpn_protocol() const;
  // Leaf first, as the server sent it. Null before its Certificate came.
  const STACK_OF(X509) * peer_chain() const;
  // The same of a resumed session, which knows the leaf only. Null when none.
  X509* peer_certificate() const;
  // Leaf first, with what the trust store completed it by. Null likewise.
  const STACK_OF(X509) * verified_chain() const;

  static void RegisterCallbacks(SSL_CTX* ctx);
  static void RegisterClientCertCallback(SSL_CTX* ctx, bool registered);

 private:
  Connection(Context::Pointer context, ConnectionOptions options);

  bool Open();
  void OfferSession();
  void Observe();
  void BeginOwedRenegotiation();
  bool HasNotices() const;
  bool DhKeyTooSmall();
  void EndRenegotiation();
  void EndOcsp();
  Step WithNotices(Step step);
  bool HandshakeUnderWay() const;
  bool MustReadFirst() const;
  void ReleaseBuffers();
  template <typename Operation>
  Step Run(Operation operation);
  Step RunOnFibre();
  bool OnPausedFibre() const;
  bool NeedsFibre(const Credential::Pointer& credential);
  Step Conclude(int result);
  void Fail(Failure failure);
  bool MayAnswer(size_t size);

  // Only what ends in an external signature runs on a fibre.
  enum class Fibre { kNone, kNeeded, kRunning };

  class KeptBuffers;
  struct QueueBio;
  // So that FromSsl finds it.
  bool Attach();
  static Connection* FromSsl(const SSL* ssl);
  static int VerifyServer(X509_STORE_CTX* store, void*);
  static int OnCertificateRequest(SSL* ssl, void*);
  static int OnClientCert(SSL* ssl, X509** certificate, EVP_PKEY** key);
  static int OnOcspResponse(SSL* ssl, void*);
  static unsigned OnSharedKey(SSL* ssl, const char* hint, char* identity,
                              unsigned identity_size, unsigned char* key,
                              unsigned key_size);
  static void OnKeyLine(const SSL* ssl, const char* line);
  static int OnNewSession(SSL* ssl, SSL_SESSION* session);
  void OnHelloRequest();
  static void OnTracedMessage(int outgoing, int version, int content_type,
                              const void* message, size_t size, SSL* ssl,
                              void*);
  static void OnMessage(int outgoing, int version, int content_type,
                        const void* message, size_t size, SSL* ssl, void*);

  Context::Pointer context_;
  ConnectionOptions options_;
  ByteQueue incoming_;
  ByteQueue outgoing_;
  bool incoming_ended_ = false;
  bool incoming_blocked_ = false;  // while a ClientHello is written
  bool abandoned_ = false;
  bool answering_ = false;  // whatever is written now, the peer asked for
  size_t unsent_answers_ = 0;
  bool closed_ = false;  // close_notify was written: nothing may follow it
  bool established_ = false;
  bool buffers_left_ = false;  // by the handshake messages since the last time
  RequestPhase phase_ = RequestPhase::kHandshake;
  HandshakeLog log_;
  ServerVerification verification_;
  ClientCert client_cert_;
  Credential::Pointer installed_;
  Credential::Pointer shown_;
  ExternalSignature signature_;
  Fibre fibre_ = Fibre::kNone;
  ByteQueue held_;  // written on the fibre, and not to leave before it is done
  SessionMark mark_;
  Resumption resumption_;
  bool resumed_ = false;
  std::deque<SslSessionPointer> new_sessions_;
  RenegotiationPolicy renegotiation_policy_;
  bool renegotiation_ours_ = false;  // the one under way
  bool renegotiation_owed_ = false;  // wanted, and not begun yet
  int renegotiations_ = 0;           // complete ones
  bool renegotiated_ = false;
  enum class Ocsp { kIdle, kArrived, kTold };
  Ocsp ocsp_ = Ocsp::kIdle;
  bool logs_keys_ = false;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<SharedKey> shared_key_;
  std::optional<Failure> failure_;
  // Last, so that it is freed first: its callbacks reach the members above.
  SslPointer ssl_;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_CONNECTION_H_
