#include "conversation.h"

#include <openssl/err.h>
#include <openssl/tls1.h>

#include <algorithm>
#include <utility>

#include "determinism.h"
#include "require.h"

namespace tls_client_cert::fuzz {

namespace {

using Sent = HandshakeLog::Certificate;

// A script is not to be a denial of service.
constexpr int kMostSteps = 48;

constexpr const char* kAlpn[] = {"", "h2", "http/1.1", "h2"};

// The one that Tampering knows.
constexpr char kDiffieHellmanCipher[] = "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=1";

int Staple(SSL* ssl, void*) {
  constexpr char kResponse[] = "a response";
  SSL_set_tlsext_status_ocsp_resp(
      ssl, OPENSSL_memdup(kResponse, sizeof(kResponse)), sizeof(kResponse));
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Setting::Setting(Input* input) {
  const uint8_t first = input->Byte();
  version = first & 3;
  // A client of either version meets servers of both.
  server = version == 2 ? first >> 2 & 1 : version;
  auth = static_cast<test::ClientAuth>((first >> 3 & 3) ^ 1);
  proves = (first & 0x20) == 0;
  retries = (first & 0x40) != 0;
  resumes_renegotiated = (first & 0x80) != 0;
  const uint8_t flags = input->Byte();
  has_credentials = (flags & 1) != 0;
  asks = (flags & 2) == 0;
  post_handshake = (flags & 4) == 0;
  reselects = (flags & 8) != 0;
  ocsp = (flags & 16) != 0;
  shared_keys = (flags & 32) != 0;
  resumes = (flags & 64) != 0;
  requires_client_cert = (flags & 128) != 0;
  const uint8_t who = input->Byte();
  answer = who & 15;
  alpn = who >> 4 & 3;
  trust = who >> 6;
  if (trust == World::kTrusts) trust = 0;
  chunk = input->Byte();
  request = input->Byte();
  const uint8_t rare = input->Byte();
  renegotiations = rare & 3;
  special = static_cast<Special>(rare >> 2);
  min_dh_bits = input->Byte() << 4;
  seed = input->Byte();
}

Conversation::Conversation(const Setting& setting, const Recording& earlier,
                           const std::vector<Bytes>& sessions)
    : world_(TheWorld()),
      setting_(setting),
      earlier_(earlier),
      sessions_(sessions) {
  SeedRandomNumbers(setting.seed);
  Connect(setting.resumes && !sessions_.empty()
              ? sessions_[setting.answer % sessions_.size()]
              : Bytes());
}

void Conversation::Connect(const Bytes& session) {
  client_.reset();
  to_client_.clear();
  accepted_ = shown_before_ = answered_ = abandoned_ = deaf_ = false;
  judgement_ = Judgement::kNone;
  to_sign_.clear();
  last_ = Step::kWantRead;
  clients_++;
  tampering_.emplace(earlier_,
                     setting_.proves ? world_.server.key.get() : nullptr);
  const Setting& set = setting_;
  // All that MakeServer looks at.
  const uint8_t circumstances[] = {static_cast<uint8_t>(set.server),
                                   set.alpn,
                                   set.request,
                                   static_cast<uint8_t>(set.auth),
                                   set.shared_keys,
                                   set.retries,
                                   set.resumes_renegotiated,
                                   static_cast<uint8_t>(set.special)};
  server_.emplace(
      BytesView(circumstances, sizeof(circumstances)), set.seed << 2 | clients_,
      [this] { return MakeServer(); },
      [this](const std::string& line) { tampering_->ServerKeyLine(line); });
  ConnectionOptions options;
  options.server_name = "server.example";
  if (setting_.alpn > 0) {
    const std::string name = kAlpn[setting_.alpn];
    options.alpn_protocols.push_back(static_cast<uint8_t>(name.size()));
    options.alpn_protocols.insert(options.alpn_protocols.end(), name.begin(),
                                  name.end());
  }
  if (setting_.has_credentials) {
    for (const uint8_t choice : {setting_.answer, uint8_t{1}}) {
      if (auto made = CredentialOf(choice)) options.credentials.push_back(made);
    }
  }
  options.asks_for_client_cert = setting_.asks;
  options.post_handshake_auth = setting_.post_handshake;
  options.reselects = setting_.reselects;
  options.renegotiation_limit.count = setting_.renegotiations;
  options.session = SecretBytes(session.begin(), session.end());
  options.session_credential = CredentialOf(setting_.answer);
  options.session_declined = setting_.answer == 0;
  options.requires_client_cert = setting_.requires_client_cert;
  options.requests_ocsp = setting_.ocsp;
  options.min_dh_bits = setting_.min_dh_bits;
  options.has_shared_keys = setting_.shared_keys;
  auto made = Connection::Create(
      world_.contexts[setting_.trust][setting_.version], std::move(options));
  REQUIRE(made.ok());
  client_ = std::move(made.value());
  client_->LogKeys(true);
  if (setting_.server != 0) return;
  if (setting_.special == Special::kDiffieHellman) {
    SSL_set_cipher_list(client_->ssl(), kDiffieHellmanCipher);
  } else if (setting_.special == Special::kWithoutRfc5746) {
    SSL_set_options(client_->ssl(), SSL_OP_LEGACY_SERVER_CONNECT);
  }
}

std::unique_ptr<test::MemoryServer> Conversation::MakeServer() const {
  test::ServerOptions options;
  options.context = world_.servers[setting_.server]->context();
  options.alpn_protocol = kAlpn[setting_.alpn];
  if ((setting_.request & 0x80) != 0) {
    options.certificate_schemes = {0, 4, 4, 3, 8, 4};
  }
  const Special special = setting_.server == 0 ? setting_.special : Special();
  options.ignores_rfc5746 = special == Special::kWithoutRfc5746;
  auto server = std::make_unique<test::MemoryServer>(options);
  SSL* ssl = server->ssl();
  if (special == Special::kDiffieHellman) {
    SSL_set_cipher_list(ssl, kDiffieHellmanCipher);
    SSL_use_certificate(ssl, world_.rsa_server.certificate.get());
    SSL_use_PrivateKey(ssl, world_.rsa_server.key.get());
    SSL_set_dh_auto(ssl, 1);
  }
  SSL_CTX_set_tlsext_status_cb(server->context(), Staple);
  int mode = SSL_VERIFY_NONE;
  if (setting_.auth != test::ClientAuth::kNone) mode |= SSL_VERIFY_PEER;
  if (setting_.auth == test::ClientAuth::kLater) {
    mode |= SSL_VERIFY_POST_HANDSHAKE;
  } else if (setting_.auth == test::ClientAuth::kRequire) {
    mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  }
  SSL_set_verify(ssl, mode, nullptr);
  if (setting_.shared_keys) SSL_use_psk_identity_hint(ssl, "a hint");
  if (setting_.retries) SSL_set1_groups_list(ssl, "P-256");
  if (!setting_.resumes_renegotiated) {
    SSL_set_options(ssl, SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION);
  }
  SSL_set_num_tickets(ssl, setting_.request >> 3 & 3);
  WantSchemes(ssl, setting_.request & 7);
  if (setting_.special == Special::kRestricted) {
    // OpenSSL would take the first, which the client must not sign under.
    SSL_set1_client_sigalgs_list(ssl, "RSA+SHA256:RSA-PSS+SHA256");
  }
  if ((setting_.request & 0x20) != 0) {
    SSL_add_client_CA(ssl, world_.root.certificate.get());
    SSL_add_client_CA(ssl, world_.other_root.certificate.get());
  }
  return server;
}

Credential::Pointer Conversation::CredentialOf(uint8_t choice) const {
  if (choice == 0) return nullptr;
  if (choice == setting_.answer) {
    if (setting_.special == Special::kRestricted) return world_.restricted;
    if (setting_.special == Special::kWeak) return world_.weak;
  }
  const Person& person = world_.people[choice % world_.people.size()];
  return choice / world_.people.size() % 2 == 0 ? person.credential
                                                : person.external;
}

// What holds after whatever was called, whatever the server did.
Step Conversation::After(Step step) {
  client_->incoming().Return(&spare_);
  last_ = step;
  Watch();
  // SSL_get_error(3) would take what is left over for its own.
  REQUIRE(ERR_peek_error() == 0);
  REQUIRE(step != Step::kWantSignature || !to_sign_.empty());
  // It may have failed already where there was something to report first.
  REQUIRE(step != Step::kFailed || client_->failure().has_value());
  if (step == Step::kFailed) FailureReasonName(client_->failure()->reason);
  if (client_->certificate() == Sent::kSent) {
    // Nobody is shown who has not been judged, nor by nobody's decision.
    REQUIRE(accepted_ || shown_before_ || client_->resumed() ||
            client_->session_reused() || client_->by_shared_key());
    REQUIRE(answered_ || setting_.has_credentials);
  }
  if (abandoned_) REQUIRE(client_->outgoing().empty());
  Move();
  return step;
}

// What the client waits for.
void Conversation::Watch() {
  // Where a step tells of something else first, this is what tells.
  if (!SSL_want_retry_verify(client_->ssl())) {
    judgement_ = Judgement::kNone;
  } else if (judgement_ == Judgement::kNone) {
    // A renegotiation's server is judged anew; what the one before was shown
    // has left already.
    judgement_ = Judgement::kAsked;
    accepted_ = false;
    shown_before_ = client_->certificate() == Sent::kSent;
  }
  if (client_->certificate() != Sent::kSent) shown_before_ = false;
  // Until somebody signs it is the same that is to be signed, whatever else is
  // called.
  const BytesView wanted = client_->signature_request().data;
  const Bytes to_sign(wanted.data, wanted.data + wanted.size);
  REQUIRE(to_sign_.empty() || to_sign_ == to_sign);
  to_sign_ = to_sign;
}

void Conversation::Accept() {
  if (judgement_ == Judgement::kAsked) {
    judgement_ = Judgement::kDecided;
    accepted_ = true;
  }
  client_->AcceptServer();
}

// What the client has written goes to the server, and what that says to it to
// where Feed takes it from.
void Conversation::Move(Bytes said) {
  if (Journal* journal = client_->journal()) {
    for (const SecretBytes& line : journal->TakeKeyLines()) {
      tampering_->ClientKeyLine(std::string(line.begin(), line.end()));
    }
  }
  ByteQueue& outgoing = client_->outgoing();
  Bytes sent(outgoing.size());
  outgoing.Take(sent.data(), sent.size());
  if (!deaf_ && !sent.empty()) {
    tampering_->FromClient(sent);
    const Bytes reply = server_->Tell(sent);
    said.insert(said.end(), reply.begin(), reply.end());
  }
  said = tampering_->FromServer(said);
  to_client_.insert(to_client_.end(), said.begin(), said.end());
}

bool Conversation::Feed() {
  if (to_client_.empty()) return false;
  const size_t all = to_client_.size();
  // Never so small that a script would not come to its end.
  const size_t size =
      setting_.chunk == 0
          ? all
          : std::min<size_t>(all, std::max<size_t>(setting_.chunk, all / 16));
  // Until the next step, as whoever receives through many queues does.
  if ((setting_.chunk & 1) != 0) client_->incoming().Lend(&spare_);
  client_->Receive(BytesView(to_client_.data(), size));
  to_client_.erase(to_client_.begin(),
                   to_client_.begin() + static_cast<ptrdiff_t>(size));
  return true;
}

Step Conversation::Run() {
  uint8_t buffer[1500];
  Step step = Step::kWantRead;
  for (int i = 0; i < kMostSteps; i++) {
    const bool failed = last_ == Step::kFailed;
    const Transfer transfer = client_->Read(buffer, sizeof(buffer));
    step = After(transfer.step);
    REQUIRE(transfer.size <= (failed ? 0 : sizeof(buffer)));
    if (step == Step::kDone) continue;
    if (step == Step::kWantRead && Feed()) continue;
    break;
  }
  return step;
}

// As a caller who means well. False where there is no more to do.
bool Conversation::React() {
  switch (last_) {
    case Step::kWantRead:
      return Feed();
    case Step::kWantVerify:
      Accept();
      return true;
    case Step::kWantClientCert:
      Answer(setting_.answer);
      return true;
    case Step::kNewSession: {
      const SecretBytes session = client_->TakeSession();
      sessions_.emplace_back(session.begin(), session.end());
      return true;
    }
    case Step::kWantSignature:
      Sign(0);
      return true;
    case Step::kOcspResponse:
      client_->TakeOcspResponse();
      return true;
    case Step::kWantSharedKey:
      AnswerSharedKey(0);
      return true;
    case Step::kRenegotiated:
    case Step::kDone:
      return true;
    case Step::kClosed:
    case Step::kFailed:
      break;
  }
  return false;
}

void Conversation::Finish() {
  deaf_ = false;
  for (int i = 0; i < kMostSteps; i++) {
    Run();
    if (!React()) break;
  }
  After(client_->Shutdown());
  client_->ReceiveEnd();
  Run();
}

}  // namespace tls_client_cert::fuzz
