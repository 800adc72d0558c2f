#include "connection.h"

#include <openssl/err.h>

#include <atomic>
#include <utility>

#include "session_facts.h"

namespace tls_client_cert {

namespace {

using Certificate = HandshakeLog::Certificate;

// Answers to what the peer asks after the handshake, in bytes, that it has not
// taken: far more than any that also reads can make of them.
constexpr size_t kMaxUnsentAnswers = 256 * 1024;

// More than one record.
constexpr size_t kBulk = 24 * 1024;

int BioCreate(BIO*) { return 1; }

}  // namespace

// SSL_MODE_RELEASE_BUFFERS spares idle connections two large buffers each, and
// has busy ones allocate them anew for every record: not as long as one call
// still has more to move.
class Connection::KeptBuffers {
 public:
  explicit KeptBuffers(SSL* ssl) : ssl_(ssl) {}
  ~KeptBuffers() { Keep(false); }
  KeptBuffers(const KeptBuffers&) = delete;
  KeptBuffers& operator=(const KeptBuffers&) = delete;

  // `left`: bytes that are still to be moved, the next record's included.
  void Before(size_t left) { Keep(left >= kBulk); }

 private:
  void Keep(bool kept) {
    if (kept == kept_) return;
    kept_ = kept;
    if (kept) {
      SSL_clear_mode(ssl_, SSL_MODE_RELEASE_BUFFERS);
    } else {
      SSL_set_mode(ssl_, SSL_MODE_RELEASE_BUFFERS);
    }
  }

  SSL* ssl_;
  bool kept_ = false;
};

// A BIO over the two queues: reading finds what was received, or says "try
// again", or the end; writing always succeeds.
struct Connection::QueueBio {
  static Connection* Owner(BIO* bio) {
    return static_cast<Connection*>(BIO_get_data(bio));
  }

  static int Read(BIO* bio, char* out, size_t size, size_t* count) {
    Connection* owner = Owner(bio);
    BIO_clear_retry_flags(bio);
    *count = owner->incoming_blocked_ ? 0 : owner->incoming_.Take(out, size);
    if (*count > 0) return 1;
    if (owner->incoming_ended_ && !owner->incoming_blocked_) return 0;
    BIO_set_retry_read(bio);
    return 0;
  }

  static int Write(BIO* bio, const char* data, size_t size, size_t* count) {
    BIO_clear_retry_flags(bio);
    Connection* owner = Owner(bio);
    if (owner->answering_ && !owner->MayAnswer(size)) return 0;
    ByteQueue& queue =
        owner->fibre_ == Fibre::kRunning ? owner->held_ : owner->outgoing_;
    if (!owner->abandoned_ && !owner->closed_) queue.Append(data, size);
    *count = size;
    return 1;
  }

  static long Control(BIO* bio, int command, long, void*) {  // NOLINT
    switch (command) {
      case BIO_CTRL_FLUSH:
        return 1;
      case BIO_CTRL_EOF:
        return Owner(bio)->incoming_ended_ && Owner(bio)->incoming_.empty();
      case BIO_CTRL_PENDING:
        return static_cast<long>(Owner(bio)->incoming_.size());  // NOLINT
      default:
        return 0;
    }
  }

  static const BIO_METHOD* Method() {
    // Never freed: an SSL of another thread may outlive any of us.
    static std::atomic<const BIO_METHOD*> method{nullptr};
    const BIO_METHOD* known = method;
    if (known != nullptr) return known;
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
                                    "tls-client-cert queues");
    if (made == nullptr) return nullptr;
    BIO_meth_set_create(made, BioCreate);
    BIO_meth_set_read_ex(made, Read);
    BIO_meth_set_write_ex(made, Write);
    BIO_meth_set_ctrl(made, Control);
    if (method.compare_exchange_strong(known, made)) return made;
    BIO_meth_free(made);
    return known;
  }
};

Result<std::unique_ptr<Connection>> Connection::Create(
    Context::Pointer context, ConnectionOptions options) {
  ErrorStack errors;
  std::unique_ptr<Connection> connection(
      new Connection(std::move(context), std::move(options)));
  if (!connection->Open()) {
    return TakeFailure(FailureReason::kInternal);
  }
  SSL* ssl = connection->ssl_.get();
  const std::string& server_name = connection->options_.server_name;
  // OpenSSL takes a terminated string: cut short it would name another server.
  if (server_name.find('\0') != std::string::npos ||
      (!server_name.empty() &&
       SSL_set_tlsext_host_name(ssl, server_name.c_str()) != 1)) {
    return TakeFailure(FailureReason::kServerName);
  }
  const Bytes& alpn = connection->options_.alpn_protocols;
  // Unlike its siblings this one returns 0 for success.
  if (!alpn.empty() &&
      SSL_set_alpn_protos(ssl, alpn.data(),
                          static_cast<unsigned>(alpn.size())) != 0) {
    return TakeFailure(FailureReason::kAlpnProtocols);
  }
  SSL_set_post_handshake_auth(ssl, connection->options_.post_handshake_auth);
  if (connection->options_.requests_ocsp) {
    SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
  }
  if (connection->options_.has_shared_keys) {
    if (!ExternalKeysWork())
      return Failure{FailureReason::kNoFibres, 0, "", {}};
    connection->shared_key_ = std::make_unique<SharedKey>();
    SSL_set_psk_client_callback(ssl, OnSharedKey);
  }
  connection->OfferSession();
  return connection;
}

Connection::Connection(Context::Pointer context, ConnectionOptions options)
    : context_(std::move(context)),
      options_(std::move(options)),
      renegotiation_policy_(options_.renegotiation_limit) {
  mark_.trust = context_->trust_digest();
}

Connection::~Connection() {
  if (fibre_ != Fibre::kRunning) return;
  // As long as the fibre has not ended, the SSL must not be freed.
  const ErrorMark errors;
  abandoned_ = true;
  do {
    signature_.Refuse();
    if (shared_key_) shared_key_->Refuse();
    SSL_do_handshake(ssl_.get());
  } while (OnPausedFibre());
}

bool Connection::Open() {
  ssl_.reset(SSL_new(context_->get()));
  if (!ssl_) return false;
  const BIO_METHOD* method = QueueBio::Method();
  BIO* bio = method == nullptr ? nullptr : BIO_new(method);
  if (bio == nullptr) return false;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_connect_state(ssl_.get());
  return Attach();
}

void Connection::OfferSession() {
  if (options_.session.empty()) return;
  Self self;
  self.trust = context_->trust_digest();
  self.credentials = options_.credentials;
  if (options_.session_credential) {
    self.credentials.push_back(options_.session_credential);
  }
  self.must_be_known = options_.requires_client_cert;
  self.declines =
      options_.session_declined ||
      (options_.credentials.empty() && !options_.asks_for_client_cert &&
       !context_->AsksForClientCert());
  const SslSessionPointer session = resumption_.Choose(options_.session, self);
  SecretBytes().swap(options_.session);
  if (session) SSL_set_session(ssl_.get(), session.get());
}

void Connection::Receive(BytesView ciphertext) {
  incoming_.Append(ciphertext.data, ciphertext.size);
}

void Connection::ReceiveEnd() { incoming_ended_ = true; }

Step Connection::Handshake() {
  if (failure_) return Step::kFailed;
  if (established_ && !HandshakeUnderWay()) return WithNotices(Step::kDone);
  if (MustReadFirst()) return Step::kWantRead;
  answering_ = established_;
  const Step step = Run([this] { return SSL_do_handshake(ssl_.get()); });
  answering_ = false;
  if (step != Step::kDone) return WithNotices(step);
  return ocsp_ == Ocsp::kArrived ? Step::kOcspResponse : step;
}

Transfer Connection::Read(uint8_t* plaintext, size_t size, bool quiet) {
  Transfer transfer;
  // Before the first handshake is complete, nothing but that is to be done.
  if (!established_) {
    transfer.step = Handshake();
  } else if (!quiet) {
    transfer.step = WithNotices(Step::kDone);
  }
  if (transfer.step != Step::kDone) return transfer;
  KeptBuffers buffers(ssl_.get());
  while (transfer.step == Step::kDone && transfer.size < size) {
    size_t count = 0;
    buffers.Before(incoming_.size());
    answering_ = true;
    transfer.step = Run([&] {
      return SSL_read_ex(ssl_.get(), plaintext + transfer.size,
                         size - transfer.size, &count);
    });
    answering_ = false;
    if (transfer.step != Step::kDone) break;
    transfer.size += count;
    // SSL_read would only say so.
    if (incoming_.empty() && !incoming_ended_ &&
        SSL_has_pending(ssl_.get()) == 0) {
      transfer.step = Step::kWantRead;
    }
  }
  // What ended the loop is still so at the next call, which will report it.
  transfer.exhausted = transfer.step == Step::kWantRead && !HasNotices();
  if (transfer.exhausted && buffers_left_) ReleaseBuffers();
  if (transfer.size > 0) {
    transfer.step = Step::kDone;
  } else if (!quiet) {
    transfer.step = WithNotices(transfer.step);
  }
  return transfer;
}

// Handshake messages, tickets above all, leave OpenSSL with a buffer to write
// from, which it keeps until somebody writes. SSL_free_buffers(3) frees what it
// finds in no use; before 3.0.14 it was wrong about that when a record was read
// in part (CVE-2024-4741), so this looks first.
void Connection::ReleaseBuffers() {
  SSL* ssl = ssl_.get();
  const bool between_records = SSL_has_pending(ssl) == 0 &&
                               std::strcmp(SSL_rstate_string(ssl), "RH") == 0;
  if (between_records && fibre_ == Fibre::kNone && !HandshakeUnderWay()) {
    SSL_free_buffers(ssl);
    buffers_left_ = false;
  }
}

Transfer Connection::Write(BytesView plaintext) {
  Transfer transfer;
  if (!established_) transfer.step = Handshake();
  KeptBuffers buffers(ssl_.get());
  while (transfer.step == Step::kDone && transfer.size < plaintext.size) {
    buffers.Before(plaintext.size - transfer.size);
    if (MustReadFirst()) {
      transfer.step = Step::kWantRead;
      break;
    }
    size_t count = 0;
    transfer.step = Run([&] {
      return SSL_write_ex(ssl_.get(), plaintext.data + transfer.size,
                          plaintext.size - transfer.size, &count);
    });
    if (transfer.step == Step::kDone) transfer.size += count;
  }
  if (transfer.size > 0) transfer.step = Step::kDone;
  return transfer;
}

Step Connection::Shutdown() {
  if (failure_) return Step::kFailed;
  // OpenSSL cannot close in the middle of a handshake: that one has to end
  // first.
  if (HandshakeUnderWay() || renegotiation_owed_) return Step::kWantRead;
  // A second SSL_shutdown would read on, and take unread data for an error.
  if ((SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) {
    return Step::kDone;
  }
  if (shared_key_) shared_key_->Forget();
  const Step step = Run([this] {
    // 0: ours is sent, the peer's has not come yet.
    const int result = SSL_shutdown(ssl_.get());
    return result == 0 ? 1 : result;
  });
  if (SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) {
    // Asked for a certificate now, OpenSSL would send the one that it has,
    // without a word to anybody (TLS 1.3).
    closed_ = true;
    signature_.Discard();
  }
  return step;
}

std::optional<Failure> Connection::Renegotiate() {
  ErrorStack errors;
  if (failure_) return failure_;
  if (!established_ || SSL_get_shutdown(ssl_.get()) != 0) {
    return Failure{FailureReason::kNotOpen, 0, "", {}};
  }
  if (const auto reason = RenegotiationPolicy::WhyNot(ssl_.get())) {
    return Failure{*reason, 0, "", {}};
  }
  if (SSL_version(ssl_.get()) >= TLS1_3_VERSION ||
      (SSL_get_options(ssl_.get()) & SSL_OP_NO_RENEGOTIATION) != 0) {
    SSL_renegotiate(ssl_.get());  // says why not
    return TakeFailure(FailureReason::kProtocol);
  }
  // Whoever waits for one before is told together with this.
  renegotiated_ = false;
  // If ours is under way it will do. The server's may be abbreviated, and ours
  // follows it.
  renegotiation_owed_ = !renegotiation_ours_;
  BeginOwedRenegotiation();
  return failure_;
}

// OpenSSL can neither put one handshake behind another, nor begin one in the
// middle of a record: what was read in part is read first, by Read.
void Connection::BeginOwedRenegotiation() {
  if (!renegotiation_owed_ || failure_ || HandshakeUnderWay() ||
      SSL_has_pending(ssl_.get()) != 0) {
    return;
  }
  renegotiation_owed_ = false;
  renegotiation_ours_ = SSL_renegotiate(ssl_.get()) == 1;
  // Writes the ClientHello, and leaves what was received for Read: only that
  // takes plaintext which the server sent before it saw the ClientHello.
  incoming_blocked_ = true;
  Run([this] { return SSL_do_handshake(ssl_.get()); });
  incoming_blocked_ = false;
}

bool Connection::closed_by_peer() const {
  // A fatal alert sets it as well.
  return !failure_ &&
         (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
}

// The first one, or one within the connection that was begun or asked for.
bool Connection::HandshakeUnderWay() const {
  return SSL_in_init(ssl_.get()) || SSL_renegotiate_pending(ssl_.get()) != 0;
}

// After HelloRequest or Renegotiate, until the ServerHello: OpenSSL takes
// plaintext in between for a violation unless SSL_read is what reads it.
bool Connection::MustReadFirst() const {
  if (!established_ || SSL_renegotiate_pending(ssl_.get()) == 0) return false;
  return !log_.in_handshake() || !log_.server_hello_received();
}

// What the last operation led to, beyond its result.
void Connection::Observe() {
  if (!established_) {
    if (SSL_is_init_finished(ssl_.get()) != 1) return;
    established_ = true;
    EndOcsp();
    // On TLS 1.2 a renegotiation may need it again.
    if (shared_key_ && (SSL_version(ssl_.get()) >= TLS1_3_VERSION ||
                        SSL_get_psk_identity(ssl_.get()) == nullptr)) {
      shared_key_->Forget();
    }
    // What a shared key led to looks like a session, but bears no mark.
    resumed_ = session_reused() && resumption_.mark().has_value() &&
               ReadSessionMark(SSL_get_session(ssl_.get())).has_value();
    if (resumed_) mark_ = *resumption_.mark();
    return;
  }
  if (!SSL_in_init(ssl_.get())) EndRenegotiation();
  BeginOwedRenegotiation();
}

void Connection::EndOcsp() {
  if (ocsp_ == Ocsp::kTold) ocsp_ = Ocsp::kIdle;
}

void Connection::EndRenegotiation() {
  const int begun = static_cast<int>(SSL_total_renegotiations(ssl_.get()));
  if (begun == renegotiations_) return;
  renegotiations_ = begun;
  log_.EndRenegotiation(session_reused());
  EndOcsp();
  if (!session_reused()) resumed_ = false;
  renegotiation_ours_ = false;
  // Whoever waits for ours is not told of the server's.
  renegotiated_ = !renegotiation_owed_;
}

// A notice comes before what will still be so at the next call.
Step Connection::WithNotices(Step step) {
  if (step == Step::kFailed) return step;
  if (ocsp_ == Ocsp::kArrived) return Step::kOcspResponse;
  if (!new_sessions_.empty()) return Step::kNewSession;
  if (renegotiated_) {
    renegotiated_ = false;
    return Step::kRenegotiated;
  }
  return step;
}

// Whether a call that moves nothing would still have something to say.
bool Connection::HasNotices() const {
  return !new_sessions_.empty() || renegotiated_ || ocsp_ == Ocsp::kArrived;
}

BytesView Connection::TakeOcspResponse() {
  // Once in a handshake: OpenSSL may yet come to tell of it.
  ocsp_ = HandshakeUnderWay() ? Ocsp::kTold : Ocsp::kIdle;
  return OcspResponseOf(ssl_.get());
}

bool Connection::DhKeyTooSmall() {
  if (options_.min_dh_bits <= 0) return false;
  const EphemeralKey key = EphemeralKeyOf(ssl_.get());
  if (key.kind != EphemeralKey::Kind::kDh || key.bits >= options_.min_dh_bits) {
    return false;
  }
  Fail({FailureReason::kDhKeyTooSmall, key.bits, "", {}});
  return true;
}

template <typename Operation>
Step Connection::Run(Operation operation) {
  if (failure_) return Step::kFailed;
  // Until the fibre is done nobody else may touch the SSL.
  if (OnPausedFibre()) {
    return shared_key_ && shared_key_->state() == SharedKey::State::kAsked
               ? Step::kWantSharedKey
               : Step::kWantSignature;
  }
  // OpenSSL asks for the key within the first handshake, at any time.
  if (shared_key_ && !established_ && fibre_ == Fibre::kNone) {
    fibre_ = Fibre::kNeeded;
  }
  ErrorStack errors;
  // client_cert_cb belongs to the SSL_CTX. A connection that asks on its own
  // account, or was asking when the context's callback was taken away, lends
  // it one for the length of the call: without, OpenSSL would send nothing.
  const bool lend =
      (options_.asks_for_client_cert || client_cert_.attempt() > 0) &&
      !context_->AsksForClientCert();
  if (lend) RegisterClientCertCallback(context_->get(), true);
  // Likewise: OpenSSL writes no secret down for whoever has no callback.
  if (logs_keys_) SSL_CTX_set_keylog_callback(context_->get(), OnKeyLine);
  Step step = Step::kDone;
  do {
    if (fibre_ != Fibre::kNone) step = RunOnFibre();
    if (step == Step::kDone) step = Conclude(operation());
  } while (fibre_ == Fibre::kNeeded && step == Step::kWantClientCert);
  if (lend) RegisterClientCertCallback(context_->get(), false);
  if (logs_keys_) SSL_CTX_set_keylog_callback(context_->get(), nullptr);
  if (!OnPausedFibre()) Observe();
  return step;
}

// Goes on with the handshake. It is always this function: a fibre keeps the
// arguments that it was begun with, and no buffer of a caller's is there for as
// long as a signature may take.
Step Connection::RunOnFibre() {
  fibre_ = Fibre::kRunning;
  SSL_set_mode(ssl_.get(), SSL_MODE_ASYNC);
  int result = SSL_do_handshake(ssl_.get());
  if (shared_key_ && shared_key_->state() == SharedKey::State::kAsked) {
    return Step::kWantSharedKey;
  }
  if (signature_.state() == ExternalSignature::State::kWanted) {
    if (installed_->Allows(signature_request().scheme)) {
      return Step::kWantSignature;
    }
    // OpenSSL could be told which digests the key can do, and whether RSA-PSS,
    // but not which of them together.
    Fail({FailureReason::kSchemeNotDeclared,
          signature_request().scheme,
          "",
          {}});
    signature_.Refuse();
    result = SSL_do_handshake(ssl_.get());
  }
  SSL_clear_mode(ssl_.get(), SSL_MODE_ASYNC);
  fibre_ = Fibre::kNone;
  // Without a signature nobody is shown the certificate either.
  const bool refused = signature_.state() == ExternalSignature::State::kRefused;
  const Step step = Conclude(result);
  if (!refused) {
    outgoing_.Append(held_.data(), held_.size());
    if (!held_.empty()) shown_ = installed_;
  }
  held_.Clear();
  // OpenSSL has its certificate before it has read the server's whole flight:
  // what it writes then has to be written on a fibre as well.
  if (step == Step::kWantRead && certificate() == Certificate::kRequested) {
    fibre_ = Fibre::kNeeded;
  }
  return step;
}

// Whether it waits there for somebody's answer.
bool Connection::OnPausedFibre() const {
  return signature_.state() == ExternalSignature::State::kWanted ||
         (shared_key_ && shared_key_->state() == SharedKey::State::kAsked);
}

// The callback has to be left then, to be called once more on a fibre.
bool Connection::NeedsFibre(const Credential::Pointer& credential) {
  if (!credential || !credential->is_external() || fibre_ == Fibre::kRunning) {
    return false;
  }
  fibre_ = Fibre::kNeeded;
  return true;
}

Step Connection::Conclude(int result) {
  if (!failure_ && client_cert_.install_failed()) {
    Fail(TakeFailure(FailureReason::kNotSent));
  }
  if (!failure_ && signature_.state() == ExternalSignature::State::kRefused) {
    outgoing_.Clear();
    Fail(TakeFailure(FailureReason::kNotSent));
  }
  if (!failure_ && installed_ != nullptr &&
      log_.certificate() == Certificate::kSentEmpty) {
    // OpenSSL found the credential unusable and would pretend that there was
    // none. The message is still in our queue, and ends there.
    outgoing_.Clear();
    held_.Clear();
    Fail(TakeFailure(FailureReason::kNotSent));
  }
  if (failure_) return Step::kFailed;
  if (result > 0) {
    return !established_ && DhKeyTooSmall() ? Step::kFailed : Step::kDone;
  }
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Step::kWantRead;
    case SSL_ERROR_WANT_RETRY_VERIFY:
      return Step::kWantVerify;
    case SSL_ERROR_WANT_X509_LOOKUP:
      return ocsp_ == Ocsp::kArrived ? Step::kOcspResponse
                                     : Step::kWantClientCert;
    case SSL_ERROR_ZERO_RETURN:
      // What waits for the end of a handshake would wait for ever.
      if (established_ && !abandoned_ &&
          SSL_version(ssl_.get()) < TLS1_3_VERSION &&
          (renegotiation_owed_ || HandshakeUnderWay())) {
        Fail({FailureReason::kClosedMidway, 0, "", {}});
        return Step::kFailed;
      }
      return Step::kClosed;
    default: {
      const bool refused =
          ErrorStack::LastIs(ERR_LIB_SSL, SSL_R_CERTIFICATE_VERIFY_FAILED);
      Fail({refused ? FailureReason::kVerifyFailed : FailureReason::kProtocol,
            0, "", ErrorStack::Take()});
      return Step::kFailed;
    }
  }
}

void Connection::Fail(Failure failure) {
  failure_ = std::move(failure);
  if (shared_key_) shared_key_->Forget();
}

// A peer that asks and asks, and reads nothing, would fill the memory.
bool Connection::MayAnswer(size_t size) {
  // What failed in another way ends with an alert.
  if (abandoned_ || failure_) return true;
  unsent_answers_ += size;
  if (unsent_answers_ <= kMaxUnsentAnswers) return true;
  Fail({FailureReason::kAnswersUnread, 0, "", {}});
  return false;
}

CertificateRequest Connection::request() const {
  return ReadCertificateRequest(ssl_.get(), phase_);
}

std::optional<Failure> Connection::WhyNotSent(
    const Credential& credential) const {
  return tls_client_cert::WhyNotSent(ssl_.get(), log_, credential);
}

void Connection::Answer(Credential::Pointer credential) {
  if (client_cert_.Answer(credential)) installed_ = std::move(credential);
}

void Connection::Decline() {
  // An earlier request's credential did not fit this one: that is no failure.
  if (client_cert_.Decline()) installed_.reset();
}

void Connection::Abandon() {
  Decline();
  // Any signature will do: what it stands in does not leave.
  if (signature_.state() == ExternalSignature::State::kWanted) {
    signature_.Supply({0});
    installed_ = shown_;
  }
  abandoned_ = true;
  outgoing_.Clear();
  held_.Clear();
}

SignatureRequest Connection::signature_request() const {
  SignatureRequest request;
  if (signature_.state() != ExternalSignature::State::kWanted) return request;
  request.data = signature_.data();
  request.scheme = SchemeOf(X509_get0_pubkey(installed_->certificate()),
                            signature_.form(), SSL_version(ssl_.get()))
                       .value_or(0);
  return request;
}

std::optional<Failure> Connection::Sign(BytesView bytes) {
  if (signature_.state() != ExternalSignature::State::kWanted) {
    return std::nullopt;
  }
  ErrorStack errors;
  // A copy first: whose memory it is may be shared with another thread.
  Bytes signature(bytes.data, bytes.data + bytes.size);
  const std::optional<bool> right = signature_.IsMadeBy(
      X509_get0_pubkey(installed_->certificate()), signature);
  if (!right) return TakeFailure(FailureReason::kInternal);
  if (!*right) {
    return TakeFailure(FailureReason::kSignatureWrong,
                       signature_request().scheme);
  }
  signature_.Supply(std::move(signature));
  return std::nullopt;
}

SecretBytes Connection::TakeSession(bool wanted) {
  if (new_sessions_.empty()) return {};
  const SslSessionPointer session = std::move(new_sessions_.front());
  new_sessions_.pop_front();
  if (!wanted) return {};
  const ErrorMark errors;
  return SerializeSession(session.get());
}

void Connection::LogKeys(bool on) {
  logs_keys_ = on;
  if (on && !journal_) journal_ = std::make_unique<Journal>();
}

bool Connection::Trace() {
  const ErrorMark errors;
  if (!journal_) journal_ = std::make_unique<Journal>();
  if (!journal_->BeginTrace()) return false;
  SSL_set_msg_callback(ssl_.get(), OnTracedMessage);
  return true;
}

bool Connection::SetMaxSendFragment(int size) {
  const ErrorMark errors;
  return SSL_set_max_send_fragment(ssl_.get(), size) == 1;
}

}  // namespace tls_client_cert
