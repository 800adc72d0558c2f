// What each Instruction does.
#include <openssl/err.h>

#include <algorithm>

#include "conversation.h"
#include "distinguished_name.h"
#include "require.h"
#include "session_facts.h"

namespace tls_client_cert::fuzz {

namespace {

using Kind = Instruction::Kind;

const char* const kClientSchemes[] = {
    nullptr,
    "ECDSA+SHA256",
    "RSA-PSS+SHA256:RSA+SHA256",
    "RSA+SHA512:RSA-PSS+SHA512",
    "ed25519:ECDSA+SHA384",
    "ECDSA+SHA1:RSA+SHA1",
};

Bytes Pattern(size_t size) { return Bytes(size, 'x'); }

}  // namespace

// What the server does by itself. It depends on nothing but these.
void Conversation::Act(Kind kind, uint8_t a, uint8_t b,
                       test::MemoryServer* server) {
  SSL* ssl = server->ssl();
  if (kind == Kind::kServerClose) {
    SSL_shutdown(ssl);
    return;
  }
  if (kind == Kind::kServerWants) return WantSchemes(ssl, a);
  if (!server->open()) return;
  if (kind == Kind::kServerWrite) {
    const Bytes plaintext = Pattern(static_cast<size_t>(a) << (b & 7));
    SSL_write(ssl, plaintext.data(), static_cast<int>(plaintext.size()));
    return;
  }
  if (server->failed()) return;
  switch (kind) {
    case Kind::kServerRenegotiate:
      SSL_renegotiate(ssl);
      break;
    case Kind::kServerRequest:
      if (SSL_version(ssl) >= TLS1_3_VERSION) {
        SSL_verify_client_post_handshake(ssl);
      } else {
        // By a new handshake.
        SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
        SSL_renegotiate(ssl);
      }
      break;
    case Kind::kServerKeyUpdate:
      SSL_key_update(ssl, (a & 1) != 0 ? SSL_KEY_UPDATE_REQUESTED
                                       : SSL_KEY_UPDATE_NOT_REQUESTED);
      break;
    case Kind::kServerTicket:
      SSL_new_session_ticket(ssl);
      break;
    default:
      return;
  }
  SSL_do_handshake(ssl);
}

void Conversation::WantSchemes(SSL* server, uint8_t which) {
  const char* schemes = kClientSchemes[which % std::size(kClientSchemes)];
  if (schemes != nullptr) SSL_set1_client_sigalgs_list(server, schemes);
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
  to_sign_.clear();
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
      client_->WhyNotSent(*world_.restricted);
      client_->WhyNotSent(*world_.weak);
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
      client_->by_shared_key();
      client_->attempt();
      client_->unread();
      client_->log().signature_scheme();
      client_->log().received_alert();
      if (client_->wants_shared_key()) {
        REQUIRE(!client_->shared_key().has_key());
        REQUIRE(client_->shared_key().max_identity() > 0);
        client_->shared_key().hint();
        client_->shared_key().max_key();
      }
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
      Storage lent;
      if ((instruction.b & 8) != 0) client_->outgoing().Lend(&lent);
      const Transfer transfer = client_->Write(plaintext);
      client_->outgoing().Return(&lent);
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
      Watch();
      Move();
      return;
    case Kind::kDisableRenegotiation:
      return client_->DisableRenegotiation();
    case Kind::kAccept:
      return Accept();
    case Kind::kRefuse:
      if (judgement_ == Judgement::kAsked) judgement_ = Judgement::kDecided;
      VerifyErrorName(a);
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
      to_sign_.clear();
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
    case Kind::kServerWrite:
    case Kind::kServerClose:
    case Kind::kServerRenegotiate:
    case Kind::kServerRequest:
    case Kind::kServerKeyUpdate:
    case Kind::kServerTicket:
    case Kind::kServerWants: {
      const uint8_t name[] = {static_cast<uint8_t>(instruction.kind), a,
                              instruction.b};
      return Move(server_->Do(BytesView(name, sizeof(name)),
                              [instruction](test::MemoryServer& server) {
                                Act(instruction.kind, instruction.a,
                                    instruction.b, &server);
                              }));
    }
    case Kind::kDeafServer:
      deaf_ = !deaf_;
      return;
    case Kind::kReact:
      React();
      return;
  }
}

}  // namespace tls_client_cert::fuzz
