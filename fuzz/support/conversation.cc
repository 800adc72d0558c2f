#include "conversation.h"

#include <openssl/err.h>
#include <openssl/tls1.h>

#include <algorithm>
#include <utility>

#include "determinism.h"
#include "distinguished_name.h"
#include "require.h"
#include "session_facts.h"

namespace tls_client_cert::fuzz {

namespace {

using Kind = Instruction::Kind;
using Sent = HandshakeLog::Certificate;

// A script is not to be a denial of service.
constexpr int kMostSteps = 48;
constexpr int kMostClients = 3;

constexpr const char* kAlpn[] = {"", "h2", "http/1.1", "h2"};

const char* const kClientSchemes[] = {
    nullptr,
    "ECDSA+SHA256",
    "RSA-PSS+SHA256:RSA+SHA256",
    "RSA+SHA512:RSA-PSS+SHA512",
    "ed25519:ECDSA+SHA384",
    "ECDSA+SHA1:RSA+SHA1",
};

int Staple(SSL* ssl, void*) {
  constexpr char kResponse[] = "a response";
  SSL_set_tlsext_status_ocsp_resp(
      ssl, OPENSSL_memdup(kResponse, sizeof(kResponse)), sizeof(kResponse));
  return SSL_TLSEXT_ERR_OK;
}

Bytes Pattern(size_t size) { return Bytes(size, 'x'); }

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
  renegotiations = input->Byte() & 3;
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
  judging_ = accepted_ = answered_ = abandoned_ = deaf_ = false;
  last_ = Step::kWantRead;
  clients_++;
  tampering_.emplace(earlier_,
                     setting_.proves ? world_.server.key.get() : nullptr);
  const Setting& set = setting_;
  // All that MakeServer looks at.
  const uint8_t circumstances[] = {
      static_cast<uint8_t>(set.server), set.alpn,        set.request,
      static_cast<uint8_t>(set.auth),   set.shared_keys, set.retries,
      set.resumes_renegotiated};
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
}

std::unique_ptr<test::MemoryServer> Conversation::MakeServer() const {
  test::ServerOptions options;
  options.context = world_.servers[setting_.server]->context();
  options.alpn_protocol = kAlpn[setting_.alpn];
  if ((setting_.request & 0x80) != 0) {
    options.certificate_schemes = {0, 4, 4, 3, 8, 4};
  }
  auto server = std::make_unique<test::MemoryServer>(options);
  SSL* ssl = server->ssl();
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
  const char* schemes =
      kClientSchemes[(setting_.request & 7) % std::size(kClientSchemes)];
  if (schemes != nullptr) SSL_set1_client_sigalgs_list(ssl, schemes);
  if ((setting_.request & 0x20) != 0) {
    SSL_add_client_CA(ssl, world_.root.certificate.get());
    SSL_add_client_CA(ssl, world_.other_root.certificate.get());
  }
  return server;
}

Credential::Pointer Conversation::CredentialOf(uint8_t choice) const {
  if (choice == 0) return nullptr;
  const Person& person = world_.people[choice % world_.people.size()];
  return choice / world_.people.size() % 2 == 0 ? person.credential
                                                : person.external;
}

// What holds after whatever was called, whatever the server did.
Step Conversation::After(Step step) {
  last_ = step;
  if (step == Step::kWantVerify) judging_ = true;
  // SSL_get_error(3) would take what is left over for its own.
  REQUIRE(ERR_peek_error() == 0);
  // It may have failed already where there was something to report first.
  REQUIRE(step != Step::kFailed || client_->failure().has_value());
  if (step == Step::kFailed) FailureReasonName(client_->failure()->reason);
  if (client_->certificate() == Sent::kSent) {
    // Nobody is shown who has not been judged, nor by nobody's decision.
    REQUIRE(accepted_ || client_->resumed() || client_->session_reused() ||
            client_->by_shared_key());
    REQUIRE(answered_ || setting_.has_credentials);
  }
  if (abandoned_) REQUIRE(client_->outgoing().empty());
  Move();
  return step;
}

// What the client has written goes to the server, and what that says to it to
// where Feed takes it from.
void Conversation::Move() {
  if (Journal* journal = client_->journal()) {
    for (const SecretBytes& line : journal->TakeKeyLines()) {
      tampering_->ClientKeyLine(std::string(line.begin(), line.end()));
    }
  }
  ByteQueue& outgoing = client_->outgoing();
  Bytes sent(outgoing.size());
  outgoing.Take(sent.data(), sent.size());
  // Of what the script did with it.
  Bytes said = server_->Take();
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
      client_->AcceptServer();
      accepted_ = true;
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

void Conversation::Answer(uint8_t choice) {
  if (const Credential::Pointer credential = CredentialOf(choice)) {
    answered_ = answered_ || client_->asked();
    client_->Answer(credential);
  } else {
    client_->Decline();
  }
}

void Conversation::Sign(uint8_t how) {
  Bytes signature;
  if (last_ == Step::kWantSignature) {
    const SignatureRequest request = client_->signature_request();
    const auto signer = std::find_if(
        world_.people.begin(), world_.people.end(), [&](const Person& person) {
          const auto schemes = SchemesOfKeyType(person.identity.key.get());
          return std::find(schemes.begin(), schemes.end(), request.scheme) !=
                 schemes.end();
        });
    if (how < 0x80 && signer != world_.people.end()) {
      signature = test::TrySigning(signer->identity.key.get(), request.scheme,
                                   request.data);
    }
  }
  switch (how & 0x7f) {
    case 0:
      break;
    case 1:
      signature.clear();
      break;
    case 2:
      if (!signature.empty()) signature.back() ^= 1;
      break;
    case 3:
      signature.push_back(0);
      break;
    default:
      signature.resize(how);
  }
  client_->Sign(signature);
}

void Conversation::AnswerSharedKey(uint8_t how) {
  if (!setting_.shared_keys) return;
  SharedKey& wanted = client_->shared_key();
  const Bytes key(16, 7);
  switch (how & 7) {
    case 0:
      return wanted.Answer("me", key);
    case 1:
      return wanted.Refuse();
    case 2:
      return wanted.Answer("somebody else", key);
    case 3:
      return wanted.Answer(std::string(how, 'm'), key);
    case 4:
      return wanted.Answer("me", Bytes(size_t{4} * how, 7));
    case 5:
      return wanted.Answer("me", Bytes());
    default:
      return wanted.Answer(std::string("m\0e", 3), key);
  }
}

void Conversation::LookAtFacts(uint8_t which) {
  SSL* ssl = client_->ssl();
  switch (which % 8) {
    case 0: {
      const CertificateRequest request = client_->request();
      for (const Bytes& name : request.authorities) {
        ParseDistinguishedName(name);
      }
      for (const uint8_t choice : {1, 2, 3, 4, 5}) {
        client_->WhyNotSent(*CredentialOf(choice));
      }
      break;
    }
    case 1:
      client_->session();
      TicketOf(ssl);
      break;
    case 2:
      FinishedOf(ssl, Sender::kClient);
      FinishedOf(ssl, Sender::kServer);
      break;
    case 3:
      ExportKeyingMaterial(ssl, 32, "EXPORTER-fuzz", std::nullopt);
      ExportKeyingMaterial(ssl, 16, "EXPORTER-fuzz", BytesView());
      break;
    case 4:
      EphemeralKeyOf(ssl);
      SharedSignatureAlgorithms(ssl);
      break;
    case 5:
      client_->cipher();
      client_->protocol();
      client_->alpn_protocol();
      break;
    case 6:
      client_->static_credential();
      client_->resumed_as_somebody();
      client_->closed_by_peer();
      client_->has_written_down();
      break;
    default:
      VerifyErrorName(client_->server_chain_error());
      client_->peer_chain();
      client_->peer_certificate();
      for (int i = 0; i < sk_X509_num(client_->verified_chain()); i++) {
        REQUIRE(sk_X509_value(client_->verified_chain(), i) != nullptr);
      }
  }
  REQUIRE(ERR_peek_error() == 0);
}

void Conversation::Perform(const Instruction& instruction) {
  const uint8_t a = instruction.a;
  switch (instruction.kind) {
    case Kind::kTamper:
      return tampering_->Arm({static_cast<Rule::Kind>(a % Rule::kKinds),
                              instruction.b, instruction.c, instruction.d});
    case Kind::kRun:
      Run();
      return;
    case Kind::kHandshake:
      After(client_->Handshake());
      return;
    case Kind::kRead: {
      Bytes buffer(static_cast<size_t>(a) << 4);
      const Transfer transfer =
          client_->Read(buffer.data(), buffer.size(), (instruction.b & 1) != 0);
      REQUIRE(transfer.size <= buffer.size());
      After(transfer.step);
      return;
    }
    case Kind::kWrite: {
      const Bytes plaintext =
          Pattern(static_cast<size_t>(a) << (instruction.b & 7));
      const Transfer transfer = client_->Write(plaintext);
      REQUIRE(transfer.size <= plaintext.size());
      After(transfer.step);
      return;
    }
    case Kind::kShutdown:
      After(client_->Shutdown());
      return;
    case Kind::kRenegotiate:
      client_->Renegotiate();
      // It may have failed by what it wrote, which no step told of.
      if (client_->failure()) last_ = Step::kFailed;
      Move();
      return;
    case Kind::kDisableRenegotiation:
      return client_->DisableRenegotiation();
    case Kind::kAccept:
      // Whatever was called since it was asked.
      accepted_ = accepted_ || judging_;
      return client_->AcceptServer();
    case Kind::kRefuse:
      return client_->RefuseServer(a);
    case Kind::kAnswer:
      return Answer(a);
    case Kind::kDecline:
      return client_->Decline();
    case Kind::kAskAgain:
      return client_->AskAgain();
    case Kind::kSign:
      return Sign(a);
    case Kind::kOcsp:
      if (last_ == Step::kOcspResponse) client_->TakeOcspResponse();
      return;
    case Kind::kSharedKey:
      return AnswerSharedKey(a);
    case Kind::kFacts:
      return LookAtFacts(a);
    case Kind::kTrace:
      client_->Trace();
      client_->journal()->TakeTrace();
      return;
    case Kind::kFragment:
      client_->SetMaxSendFragment(a << 6);
      return;
    case Kind::kAbandon:
      abandoned_ = true;
      return client_->Abandon();
    case Kind::kTakeSession:
      client_->TakeSession((a & 1) == 0);
      return;
    case Kind::kEnd:
      return client_->ReceiveEnd();
    case Kind::kReconnect:
      if (clients_ == kMostClients) return;
      return Connect(sessions_.empty() ? Bytes()
                                       : sessions_[a % sessions_.size()]);
    case Kind::kServerWrite: {
      const Bytes plaintext =
          Pattern(static_cast<size_t>(a) << (instruction.b & 7));
      if (server().open()) {
        SSL_write(server().ssl(), plaintext.data(),
                  static_cast<int>(plaintext.size()));
      }
      break;
    }
    case Kind::kServerClose:
      SSL_shutdown(server().ssl());
      break;
    case Kind::kServerRenegotiate:
      if (!server().open() || server().failed()) return;
      SSL_renegotiate(server().ssl());
      SSL_do_handshake(server().ssl());
      break;
    case Kind::kServerRequest:
      return ServerAsks();
    case Kind::kServerKeyUpdate:
      if (!server().open() || server().failed()) return;
      SSL_key_update(server().ssl(), (a & 1) != 0
                                         ? SSL_KEY_UPDATE_REQUESTED
                                         : SSL_KEY_UPDATE_NOT_REQUESTED);
      SSL_do_handshake(server().ssl());
      break;
    case Kind::kServerTicket:
      if (!server().open() || server().failed()) return;
      SSL_new_session_ticket(server().ssl());
      SSL_do_handshake(server().ssl());
      break;
    case Kind::kServerWants: {
      const char* schemes = kClientSchemes[a % std::size(kClientSchemes)];
      if (schemes != nullptr)
        SSL_set1_client_sigalgs_list(server().ssl(), schemes);
      break;
    }
    case Kind::kDeafServer:
      deaf_ = !deaf_;
      return;
    case Kind::kReact:
      React();
      return;
  }
  ERR_clear_error();
  Move();
}

void Conversation::ServerAsks() {
  SSL* ssl = server().ssl();
  if (!server().open() || server().failed()) return;
  if (SSL_version(ssl) >= TLS1_3_VERSION) {
    SSL_verify_client_post_handshake(ssl);
  } else {
    SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
    SSL_renegotiate(ssl);
  }
  SSL_do_handshake(ssl);
  ERR_clear_error();
  Move();
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
