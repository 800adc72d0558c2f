#include "tampering.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <utility>

#include "message_shape.h"
#include "pointers.h"
#include "require.h"

namespace tls_client_cert::fuzz {

namespace {

using Kind = Rule::Kind;

constexpr size_t kRecordHeader = SSL3_RT_HEADER_LENGTH;
constexpr size_t kMessageHeader = 4;
constexpr size_t kRandom = 32;
constexpr size_t kMostFragment = 16384;
constexpr size_t kMostRules = 24;

constexpr uint8_t kTypes[] = {
    SSL3_MT_SERVER_HELLO,        SSL3_MT_ENCRYPTED_EXTENSIONS,
    SSL3_MT_CERTIFICATE_REQUEST, SSL3_MT_CERTIFICATE,
    SSL3_MT_CERTIFICATE_VERIFY,  SSL3_MT_FINISHED,
    SSL3_MT_NEWSESSION_TICKET,   SSL3_MT_KEY_UPDATE,
    SSL3_MT_HELLO_REQUEST,       SSL3_MT_SERVER_KEY_EXCHANGE,
    SSL3_MT_SERVER_DONE,         SSL3_MT_CERTIFICATE_STATUS,
};

// By which a ServerHello is a HelloRetryRequest: RFC 8446, section 4.1.3.
const Bytes& RetryRandom() {
  static const Bytes random =
      Sha256Of(BytesView(std::string("HelloRetryRequest")));
  return random;
}

void Append(Bytes* to, BytesView bytes) {
  to->insert(to->end(), bytes.data, bytes.data + bytes.size);
}

Bytes MessageOf(uint8_t type, const Bytes& body) {
  const size_t size = body.size();
  Bytes message = {type, static_cast<uint8_t>(size >> 16),
                   static_cast<uint8_t>(size >> 8), static_cast<uint8_t>(size)};
  Append(&message, body);
  return message;
}

Bytes FromHex(const std::string& text) {
  const auto digit = [](char c) {
    return static_cast<uint8_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  };
  Bytes bytes(text.size() / 2);
  for (size_t i = 0; i < bytes.size(); i++) {
    const char* two = text.data() + 2 * i;
    bytes[i] = static_cast<uint8_t>(digit(two[0]) << 4 | digit(two[1]));
  }
  return bytes;
}

size_t RecordSize(const Bytes& bytes, size_t at) {
  return kRecordHeader +
         (static_cast<size_t>(bytes[at + 3]) << 8 | bytes[at + 4]);
}

// Takes whole records off the front of `bytes`.
template <typename Take>
void ForEachRecord(Bytes* bytes, Take take) {
  size_t at = 0;
  while (bytes->size() - at >= kRecordHeader) {
    const size_t size = RecordSize(*bytes, at);
    if (bytes->size() - at < size) break;
    take(BytesView(bytes->data() + at, size));
    at += size;
  }
  bytes->erase(bytes->begin(), bytes->begin() + static_cast<ptrdiff_t>(at));
}

}  // namespace

void Tampering::ReplaceBody(uint8_t type, Bytes body) {
  body_.emplace(type, std::move(body));
}

void Tampering::ReadKeyLine(const std::string& line, Keys* keys) {
  const size_t first = line.find(' ');
  const size_t second = line.find(' ', first + 1);
  if (second == std::string::npos) return;
  const std::string label = line.substr(0, first);
  const Bytes secret = FromHex(line.substr(second + 1));
  if (label == "SERVER_HANDSHAKE_TRAFFIC_SECRET") {
    keys->handshake = secret;
  } else if (label == "SERVER_TRAFFIC_SECRET_0") {
    keys->application = secret;
  } else if (label == "CLIENT_RANDOM") {
    keys->client_random = line.substr(first + 1, second - first - 1);
    keys->master = secret;
  }
}

void Tampering::ServerKeyLine(const std::string& line) {
  ReadKeyLine(line, &server_keys_);
}

void Tampering::ClientKeyLine(const std::string& line) {
  ReadKeyLine(line, &client_keys_);
}

// The first that is due, which is then no more.
std::optional<Rule> Tampering::Due(bool for_records, int type) {
  for (auto rule = rules_.begin(); rule != rules_.end(); ++rule) {
    if ((rule->kind >= Kind::kDropRecord) != for_records) continue;
    if (rule->where >= 0x80 && !for_records) {
      if (kTypes[(rule->where & 0x7f) % std::size(kTypes)] != type) continue;
    } else if ((rule->where & 0x0f) > 0) {
      rule->where--;
      continue;
    }
    const Rule due = *rule;
    rules_.erase(rule);
    return due;
  }
  return std::nullopt;
}

// The ClientHellos, for the transcript.
void Tampering::FromClient(BytesView ciphertext) {
  if (hello_done_) return;
  Append(&client_bytes_, ciphertext);
  ForEachRecord(&client_bytes_, [&](BytesView record) {
    if (record.data[0] != SSL3_RT_HANDSHAKE) return;
    Append(&transcript_,
           BytesView(record.data + kRecordHeader, record.size - kRecordHeader));
  });
}

Bytes Tampering::FromServer(BytesView ciphertext) {
  Bytes out;
  Append(&incoming_, ciphertext);
  if (rules_.size() > kMostRules) rules_.resize(kMostRules);
  ForEachRecord(&incoming_, [&](BytesView record) { OnRecord(record, &out); });
  return out;
}

void Tampering::OnRecord(BytesView record, Bytes* out) {
  const uint8_t type = record.data[0];
  Content content{
      type, Bytes(record.data + kRecordHeader, record.data + record.size)};
  // In TLS 1.3 a ChangeCipherSpec means nothing, and is never protected.
  if (type == SSL3_RT_CHANGE_CIPHER_SPEC && (tls13_ || !open_)) {
    SendRecord(Bytes(record.data, record.data + record.size), out);
    if (!tls13_) UseTls12Keys();
    return;
  }
  if (open_ && type != SSL3_RT_CHANGE_CIPHER_SPEC) {
    auto opened = open_->Open(record);
    // Nothing of the server's should be; but then it is not for us to judge.
    if (!opened) {
      SendRecord(Bytes(record.data, record.data + record.size), out);
      return;
    }
    content = std::move(*opened);
  } else if (open_) {
    // Of a renegotiation, under the old keys.
    auto opened = open_->Open(record);
    if (opened) content = std::move(*opened);
    SendContent(content, out);
    UseTls12Keys();
    return;
  }
  if (content.type != SSL3_RT_HANDSHAKE) {
    SendContent(content, out);
    return;
  }
  Append(&handshake_, content.bytes);
  OnHandshakeBytes(out);
}

void Tampering::OnHandshakeBytes(Bytes* out) {
  while (handshake_.size() >= kMessageHeader) {
    const size_t size =
        kMessageHeader + (static_cast<size_t>(handshake_[1]) << 16 |
                          static_cast<size_t>(handshake_[2]) << 8 |
                          handshake_[3]);
    if (handshake_.size() < size) return;
    const auto end = handshake_.begin() + static_cast<ptrdiff_t>(size);
    Bytes message(handshake_.begin(), end);
    handshake_.erase(handshake_.begin(), end);
    const uint8_t type = message[0];
    if (type == SSL3_MT_SERVER_HELLO) ServerHello(message);
    OnMessage(message, out);
    // What the server protects from here on, and what the client expects.
    if (!tls13_) continue;
    if (type == SSL3_MT_SERVER_HELLO && !in_hello_retry_) UseHandshakeKeys();
    if (type == SSL3_MT_FINISHED) UseApplicationKeys();
    if (type == SSL3_MT_KEY_UPDATE) {
      open_secret_ = ExpandLabel(open_secret_, "traffic upd", 32);
      open_ = RecordCipher::Tls13(open_secret_);
    }
  }
}

void Tampering::ServerHello(const Bytes& message) {
  constexpr size_t kBefore = kMessageHeader + 2;
  if (message.size() < kBefore + kRandom) return;
  const auto at = message.begin() + kBefore;
  server_random_.assign(at, at + kRandom);
  in_hello_retry_ = server_random_ == RetryRandom();
  // supported_versions stands in it in TLS 1.3 only.
  static const Bytes tls13 = {0, 43, 0, 2, 3, 4};
  tls13_ = std::search(message.begin(), message.end(), tls13.begin(),
                       tls13.end()) != message.end();
  if (in_hello_retry_) {
    // RFC 8446, section 4.4.1.
    transcript_ = MessageOf(SSL3_MT_MESSAGE_HASH, Sha256Of(transcript_));
  } else {
    hello_done_ = true;
  }
}

void Tampering::OnMessage(Bytes message, Bytes* out) {
  const Bytes said = message;
  const uint8_t type = message[0];
  if (recording_ != nullptr) recording_->messages.push_back(message);
  if (changed_ && proof_key_ != nullptr && tls13_) Prove(&message);
  if (body_ && body_->first == type) {
    message = MessageOf(type, body_->second);
    body_.reset();
  }
  int copies = 1;
  bool held = false;
  bool joins = false;
  std::vector<Bytes> before;
  // More than one may meet the same.
  for (int i = 0; i < 4; i++) {
    const auto rule = Due(false, type);
    if (!rule) break;
    switch (rule->kind) {
      case Kind::kChangeField:
        ChangeField(&message, tls13_, rule->a / kFieldChanges,
                    static_cast<FieldChange>(rule->a % kFieldChanges), rule->b);
        break;
      case Kind::kFlip: {
        const size_t place = static_cast<size_t>(rule->a) << 3 | rule->b >> 5;
        if (message.empty()) break;
        message[place % message.size()] ^=
            static_cast<uint8_t>(1 << (rule->b & 7));
        break;
      }
      case Kind::kDrop:
        copies = 0;
        break;
      case Kind::kRepeat:
        copies = 2 + rule->a % 3;
        break;
      case Kind::kHold:
        held = true;
        break;
      case Kind::kCut:
        if (message.size() > rule->a) message.resize(rule->a);
        break;
      case Kind::kExtend:
        message.insert(message.end(), 1u + rule->a, rule->b);
        break;
      case Kind::kLength:
        if (message.size() < kMessageHeader) break;
        message[3] = static_cast<uint8_t>(message[3] + rule->a);
        message[2] = static_cast<uint8_t>(message[2] + rule->b);
        break;
      case Kind::kRetype:
        if (!message.empty()) message[0] = rule->a;
        break;
      case Kind::kReplay:
        if (earlier_.messages.empty()) break;
        message = earlier_.messages[rule->a % earlier_.messages.size()];
        break;
      case Kind::kJoin:
        joins = true;
        break;
      case Kind::kSplit:
        split_ = 1u + rule->a;
        break;
      case Kind::kBefore:
        before.push_back(MessageOf(rule->a, Bytes(rule->b, rule->b)));
        break;
      default:
        break;
    }
  }
  if (message != said || copies != 1 || held || !before.empty()) {
    changed_ = true;
  }
  for (const Bytes& inserted : before) Send(inserted, out);
  if (held) {
    held_messages_.push_back(message);
    return;
  }
  for (int i = 0; i < copies; i++) {
    if (joins) {
      Append(&joined_, message);
      Seen(message);
    } else {
      Send(message, out);
    }
  }
  for (const Bytes& waiting : std::exchange(held_messages_, {})) {
    Send(waiting, out);
  }
}

// RFC 8446, sections 4.4.3 and 4.4.4.
void Tampering::Prove(Bytes* message) const {
  if (!hello_done_ || server_keys_.handshake.empty()) return;
  const uint8_t type = (*message)[0];
  if (type == SSL3_MT_CERTIFICATE_VERIFY) {
    const std::string context = "TLS 1.3, server CertificateVerify";
    Bytes signed_data(64, ' ');
    Append(&signed_data, BytesView(context));
    signed_data.push_back(0);
    Append(&signed_data, Sha256Of(transcript_));
    Bytes signature(static_cast<size_t>(EVP_PKEY_get_size(proof_key_)));
    size_t size = signature.size();
    const EvpMdCtxPointer ctx(EVP_MD_CTX_new());
    REQUIRE(EVP_DigestSignInit_ex(ctx.get(), nullptr, "SHA256", nullptr,
                                  nullptr, proof_key_, nullptr) == 1);
    REQUIRE(EVP_DigestSign(ctx.get(), signature.data(), &size,
                           signed_data.data(), signed_data.size()) == 1);
    signature.resize(size);
    Bytes body = {4, 3, static_cast<uint8_t>(size >> 8),
                  static_cast<uint8_t>(size)};
    Append(&body, signature);
    *message = MessageOf(type, body);
  } else if (type == SSL3_MT_FINISHED) {
    const Bytes key = ExpandLabel(server_keys_.handshake, "finished", 32);
    *message = MessageOf(type, HmacSha256(key, Sha256Of(transcript_)));
  }
}

void Tampering::Seen(const Bytes& message) {
  if (!open_ || open_secret_ == server_keys_.handshake) {
    Append(&transcript_, message);
  }
}

void Tampering::Send(const Bytes& message, Bytes* out) {
  Seen(message);
  Bytes whole = std::exchange(joined_, {});
  Append(&whole, message);
  size_t fragment = std::exchange(split_, 0);
  if (fragment == 0 || whole.size() / fragment > 64) fragment = kMostFragment;
  size_t at = 0;
  do {
    const size_t size = std::min(fragment, whole.size() - at);
    const auto begin = whole.begin() + static_cast<ptrdiff_t>(at);
    SendContent(
        {SSL3_RT_HANDSHAKE, Bytes(begin, begin + static_cast<ptrdiff_t>(size))},
        out);
    at += size;
  } while (at < whole.size());
  if (tls13_ && seal_ && !message.empty() && message[0] == SSL3_MT_KEY_UPDATE) {
    seal_secret_ = ExpandLabel(seal_secret_, "traffic upd", 32);
    seal_ = RecordCipher::Tls13(seal_secret_);
  }
}

void Tampering::SendContent(const Content& content, Bytes* out) {
  if (std::exchange(seals_anew_, false)) {
    seal_secret_ = client_keys_.application.empty() ? server_keys_.application
                                                    : client_keys_.application;
    seal_ = RecordCipher::Tls13(seal_secret_);
  }
  if (seal_) {
    SendRecord(seal_->Seal(content, std::exchange(padding_, 0)), out);
    return;
  }
  Bytes record = {content.type, 3, 3,
                  static_cast<uint8_t>(content.bytes.size() >> 8),
                  static_cast<uint8_t>(content.bytes.size())};
  Append(&record, content.bytes);
  SendRecord(std::move(record), out);
}

void Tampering::SendRecord(Bytes record, Bytes* out) {
  if (recording_ != nullptr) recording_->records.push_back(record);
  const auto rule = Due(true, 0);
  if (!rule) {
    Append(out, record);
    for (const Bytes& waiting : std::exchange(held_records_, {})) {
      Append(out, waiting);
    }
    return;
  }
  if (rule->kind != Kind::kPad) changed_ = true;
  const Content injected{rule->a, Bytes(rule->b & 63, rule->b)};
  switch (rule->kind) {
    case Kind::kDropRecord:
      return;
    case Kind::kRepeatRecord:
      Append(out, record);
      break;
    case Kind::kHoldRecord:
      held_records_.push_back(record);
      return;
    case Kind::kCutRecord:
      record.resize(std::min<size_t>(record.size(), rule->a));
      break;
    case Kind::kFlipRecord:
      record[(static_cast<size_t>(rule->a) << 3 | rule->b >> 5) %
             record.size()] ^= static_cast<uint8_t>(1 << (rule->b & 7));
      break;
    case Kind::kRetypeRecord:
      record[0] = rule->a;
      break;
    case Kind::kLengthRecord:
      record[3] = static_cast<uint8_t>(record[3] + rule->a);
      record[4] = static_cast<uint8_t>(record[4] + rule->b);
      break;
    case Kind::kVersionRecord:
      record[1] = rule->a;
      record[2] = rule->b;
      break;
    case Kind::kReplayRecord:
      if (earlier_.records.empty()) break;
      record = earlier_.records[rule->a % earlier_.records.size()];
      break;
    case Kind::kInject:
      // Sealed after `record` was, so behind it.
      Append(out, record);
      if (seal_) {
        record = seal_->Seal(injected);
        break;
      }
      [[fallthrough]];
    case Kind::kInjectPlain: {
      Bytes plain = {injected.type, 3, 3, 0,
                     static_cast<uint8_t>(injected.bytes.size())};
      Append(&plain, injected.bytes);
      Append(out, plain);
      if (rule->kind == Kind::kInject) return;
      break;
    }
    case Kind::kPad:
      padding_ = static_cast<size_t>(rule->a) << (rule->b & 7);
      break;
    default:
      break;
  }
  Append(out, record);
}

void Tampering::UseHandshakeKeys() {
  if (server_keys_.handshake.empty()) return;
  open_secret_ = seal_secret_ = server_keys_.handshake;
  open_ = RecordCipher::Tls13(open_secret_);
  seal_ = open_;
}

// Of a changed handshake the client has drawn other keys than the server; by
// the time they are needed it has told them.
void Tampering::UseApplicationKeys() {
  if (server_keys_.application.empty()) return;
  open_secret_ = server_keys_.application;
  open_ = RecordCipher::Tls13(open_secret_);
  seals_anew_ = true;
}

void Tampering::UseTls12Keys() {
  if (server_keys_.master.empty() || server_random_.empty()) return;
  open_ = RecordCipher::Tls12(
      server_keys_.master, FromHex(server_keys_.client_random), server_random_);
  seal_ = open_;
}

}  // namespace tls_client_cert::fuzz
