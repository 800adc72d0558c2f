#include "client.h"

#include <openssl/err.h>

#include <utility>

#include "distinguished_name.h"

namespace tls_client_cert::test::faults {

Client::Client(const Meeting& meeting)
    : meeting_(meeting),
      answer_(meeting.answer_anew == nullptr
                  ? meeting.answer
                  : CredentialOf(*meeting.answer_anew)),
      server_(meeting.server) {
  if (meeting.prepare) meeting.prepare(&server_);
}

Client::~Client() {
  const Arm arm;
  connection_.reset();
}

Outcome Client::Run() {
  const std::string wrong = Live();
  if (!wrong.empty()) return Wrong(wrong);
  if (failure_) return Failed(*failure_);
  return Done();
}

std::string Client::Live() {
  auto made = Armed(
      [&] { return Connection::Create(meeting_.context, meeting_.options); });
  if (!made.ok()) {
    Fail(made.failure());
    return "";
  }
  connection_ = std::move(made.value());
  if (meeting_.writes_down) {
    connection_->LogKeys(true);
    if (!Armed([&] { return connection_->Trace(); })) {
      Fail({FailureReason::kInternal, 0, "no trace", {}});
      return "";
    }
  }
  std::string wrong = Handshake();
  if (!wrong.empty() || failed()) return wrong;
  // A server of TLS 1.3 that goes without a word is noticed by reading only.
  wrong = ReadAll();
  if (!wrong.empty() || failed()) return wrong;
  if (!server_.open()) return "the server's handshake has not ended";
  if (!meeting_.trusted) return "a server was trusted that must not be";
  if (connection_->resumed() != meeting_.resumed && meeting_.resumed) {
    // It costs a full handshake, in which nobody is taken for another.
    if (connection_->resumed_as_somebody()) return "resumed as somebody";
  }
  wrong = CheckShown();
  if (!wrong.empty()) return wrong;
  wrong = Talk();
  if (!wrong.empty() || failed()) return wrong;
  if (meeting_.then) wrong = meeting_.then(this);
  if (!wrong.empty() || failed()) return wrong;
  const Step step = Armed([&] { return connection_->Shutdown(); });
  Drain();
  if (step == Step::kFailed) {
    Fail(*connection_->failure());
  } else if (!server_.client_closed()) {
    return "close_notify got lost";
  }
  return "";
}

std::string Client::Handshake() {
  bool again = true;
  while (again) {
    const Step step = Armed([&] { return connection_->Handshake(); });
    Drain();
    if (step == Step::kDone) return "";
    const std::string wrong = Settle(step, &again);
    if (!wrong.empty() || failed()) return wrong;
  }
  return "the handshake waits for ever";
}

std::string Client::ReadAll() {
  bool again = true;
  while (again) {
    uint8_t buffer[5000];
    const Transfer transfer =
        Armed([&] { return connection_->Read(buffer, sizeof(buffer)); });
    received_.insert(received_.end(), buffer, buffer + transfer.size);
    Drain();
    if (transfer.step == Step::kDone) continue;
    const std::string wrong = Settle(transfer.step, &again);
    if (!wrong.empty() || failed()) return wrong;
  }
  return "";
}

std::string Client::Talk() {
  const Bytes words = Text("to the server");
  const Transfer sent = Armed([&] { return connection_->Write(words); });
  Drain();
  if (sent.step == Step::kFailed) {
    Fail(*connection_->failure());
    return "";
  }
  if (sent.size != words.size()) return "not all of it was written";
  const Bytes& arrived = server_.plaintext();
  if (arrived.size() < words.size() ||
      !std::equal(words.rbegin(), words.rend(), arrived.rbegin())) {
    return "what was written has not arrived";
  }
  received_.clear();
  server_.Write(Text("to the client"));
  const std::string wrong = ReadAll();
  if (!wrong.empty() || failed()) return wrong;
  return received_ == Text("to the client") ? "" : "not all of it was read";
}

// What a call led to. `again`: another may come further.
std::string Client::Settle(Step step, bool* again) {
  Connection& connection = *connection_;
  switch (step) {
    case Step::kWantRead:
      *again = Feed();
      return "";
    case Step::kWantVerify: {
      const int error = connection.server_chain_error();
      if (error == X509_V_OK) {
        if (!meeting_.trusted) return "a server was trusted that must not be";
        connection.AcceptServer();
      } else {
        connection.RefuseServer(error);
      }
      return "";
    }
    case Step::kWantClientCert:
      return AnswerRequest();
    case Step::kWantSignature: {
      const SignatureRequest request = connection.signature_request();
      const Bytes signature = SignWith(meeting_.signs_with->key.get(),
                                       request.scheme, request.data);
      const auto failure = Armed([&] { return connection.Sign(signature); });
      if (failure) Fail(*failure);
      return "";
    }
    case Step::kOcspResponse:
      if (connection.TakeOcspResponse().size == 0) return "no OCSP response";
      return "";
    case Step::kWantSharedKey:
      connection.shared_key().Answer("me", meeting_.shared_key);
      return "";
    case Step::kNewSession: {
      const SecretBytes session =
          Armed([&] { return connection.TakeSession(); });
      if (!session.empty()) sessions_.push_back(session);
      return "";
    }
    case Step::kRenegotiated:
      renegotiations_++;
      return "";
    case Step::kFailed:
      if (!connection.failure()) return "failed without a reason";
      Fail(*connection.failure());
      return "";
    case Step::kClosed:
      return "closed by the server";
    case Step::kDone:
      return "";
  }
  return "an unknown step";
}

std::string Client::AnswerRequest() {
  Connection& connection = *connection_;
  requests_++;
  const CertificateRequest request =
      Armed([&] { return connection.request(); });
  if (request.authorities.size() != meeting_.server.authorities.size()) {
    return "not all authorities were read";
  }
  if (request.signature_schemes.empty()) return "no schemes were read";
  for (const Bytes& name : request.authorities) {
    // Nothing, where memory is short, and never a part of it.
    const auto parsed = Armed([&] { return ParseDistinguishedName(name); });
    if (parsed && (parsed->attributes.empty() || parsed->text.empty())) {
      return "a name was parsed in part";
    }
  }
  if (!answer_) {
    connection.Decline();
    return "";
  }
  if (const auto why = Armed([&] { return connection.WhyNotSent(*answer_); })) {
    Fail(*why);
    return "";
  }
  connection.Answer(answer_);
  return "";
}

std::string Client::CheckShown() {
  const std::vector<Bytes> expected = meeting_.shown == nullptr
                                          ? std::vector<Bytes>()
                                          : ChainOf(*meeting_.shown);
  const std::vector<Bytes> seen = server_.client_chain();
  if (seen == expected) return "";
  // Of a session the server knows the leaf only.
  if (connection_->resumed() && seen.size() == 1 && !expected.empty() &&
      seen[0] == expected[0]) {
    return "";
  }
  return "the server knows another than it should";
}

bool Client::Feed() {
  const Bytes sent = server_.Take();
  if (sent.empty()) return false;
  connection_->Receive(sent);
  return true;
}

void Client::Drain() {
  ByteQueue& outgoing = connection_->outgoing();
  Bytes sent(outgoing.size());
  outgoing.Take(sent.data(), sent.size());
  server_.Receive(sent);
  server_.Advance();
}

void Explore(const std::string& name, const Meeting& meeting, size_t most) {
  Explore(name, [&] { return Client(meeting).Run(); }, most);
}

}  // namespace tls_client_cert::test::faults
