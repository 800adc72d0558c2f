#include "pair.h"

#include <algorithm>
#include <utility>

namespace tls_client_cert::test {

ContextOptions TrustingOptions() {
  static const std::shared_ptr<const TrustStore> trust = [] {
    const Bytes root = CertificatePem(ThePki().root_a.certificate.get());
    auto made = TrustStore::Create({root}, {}, nullptr);
    REQUIRE(made.ok());
    return made.value();
  }();
  ContextOptions options;
  options.trust = trust;
  options.cipher_list = "DEFAULT:@SECLEVEL=1";
  return options;
}

Context::Pointer MakeContext(const ContextOptions& options, bool asks) {
  auto made = Context::Create(options);
  REQUIRE(made.ok());
  made.value()->SetAsksForClientCert(asks);
  return made.value();
}

Context::Pointer AskingContext() { return MakeContext(TrustingOptions()); }

ServerOptions ServerOf(int version) {
  ServerOptions options;
  options.version = version;
  return options;
}

Pair::Pair(Context::Pointer context, const ServerOptions& server_options,
           ConnectionOptions options)
    : server_(std::make_unique<MemoryServer>(server_options)) {
  auto made = Connection::Create(std::move(context), std::move(options));
  REQUIRE(made.ok());
  client_ = std::move(made.value());
}

bool Pair::TakeNotice(Step step) {
  if (step == Step::kNewSession) {
    sessions_.push_back(Plain(client_->TakeSession()));
  } else if (step == Step::kRenegotiated) {
    renegotiations_++;
  } else {
    return false;
  }
  return true;
}

bool Pair::FeedClient() {
  const Bytes sent = server_->Take();
  to_client_.Append(sent.data(), sent.size());
  if (to_client_.empty()) return false;
  Bytes piece(chunk_ == 0 ? to_client_.size()
                          : std::min(chunk_, to_client_.size()));
  to_client_.Take(piece.data(), piece.size());
  client_->Receive(piece);
  return true;
}

void Pair::DrainClient() {
  ByteQueue& outgoing = client_->outgoing();
  Bytes sent(outgoing.size());
  outgoing.Take(sent.data(), sent.size());
  client_->set_unsent_answers(0);
  wire_.insert(wire_.end(), sent.begin(), sent.end());
  server_->Receive(sent);
  server_->Advance();
}

Step Pair::Run() {
  while (true) {
    const Step step = client_->Handshake();
    DrainClient();
    if (TakeNotice(step)) continue;
    if (step == Step::kWantRead && FeedClient()) continue;
    // TLS 1.2: the session is there with the end of the handshake.
    Bytes session = Plain(client_->TakeSession());
    if (!session.empty()) sessions_.push_back(std::move(session));
    return step;
  }
}

Step Pair::RunPastVerify() {
  REQUIRE(Run() == Step::kWantVerify);
  client_->AcceptServer();
  return Run();
}

Step Pair::RunAnswering(const Credential::Pointer& credential) {
  REQUIRE(RunPastVerify() == Step::kWantClientCert);
  client_->Answer(credential);
  return Run();
}

void Pair::Exchange() {
  DrainClient();
  while (FeedClient()) {
  }
}

Step Pair::ReadAll(Bytes* plaintext) {
  uint8_t buffer[5000];
  while (true) {
    const Transfer transfer = client_->Read(buffer, sizeof(buffer));
    plaintext->insert(plaintext->end(), buffer, buffer + transfer.size);
    DrainClient();
    if (transfer.step == Step::kDone || TakeNotice(transfer.step)) continue;
    if (transfer.step != Step::kWantRead || !FeedClient()) return transfer.step;
  }
}

Step Pair::ReadAll() {
  Bytes ignored;
  return ReadAll(&ignored);
}

std::vector<WireRecord> Pair::Records() const {
  std::vector<WireRecord> records;
  size_t position = 0;
  while (position + 5 <= wire_.size()) {
    const size_t size = 5u + (static_cast<size_t>(wire_[position + 3]) << 8 |
                              wire_[position + 4]);
    records.push_back({wire_[position], size});
    position += size;
  }
  // Whole records only: nothing may hide behind a torn one.
  CHECK(position == wire_.size());
  return records;
}

Bytes Text(const std::string& text) { return Bytes(text.begin(), text.end()); }

Bytes Plain(const SecretBytes& bytes) {
  return Bytes(bytes.begin(), bytes.end());
}

SecretBytes Secret(const Bytes& bytes) {
  return SecretBytes(bytes.begin(), bytes.end());
}

Bytes Alpn(const std::vector<std::string>& protocols) {
  Bytes wire;
  for (const std::string& protocol : protocols) {
    wire.push_back(static_cast<uint8_t>(protocol.size()));
    wire.insert(wire.end(), protocol.begin(), protocol.end());
  }
  return wire;
}

void CheckAlive(Pair* pair) {
  pair->server().Write(Text("to the client"));
  Bytes received;
  CHECK(pair->ReadAll(&received) == Step::kWantRead);
  CHECK(received == Text("to the client"));
  const Bytes words = Text("to the server");
  CHECK(pair->client().Write(words).size == words.size());
  pair->Exchange();
  const Bytes& arrived = pair->server().plaintext();
  REQUIRE(arrived.size() >= words.size());
  CHECK(std::equal(words.rbegin(), words.rend(), arrived.rbegin()));
}

bool Contains(const Bytes& haystack, const Bytes& needle) {
  return std::search(haystack.begin(), haystack.end(), needle.begin(),
                     needle.end()) != haystack.end();
}

std::string Reasons(const Failure& failure) {
  std::string text;
  for (const ErrorRecord& record : failure.stack) {
    text += (text.empty() ? "" : "; ") + record.reason;
  }
  return text;
}

}  // namespace tls_client_cert::test
