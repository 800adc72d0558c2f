// Between server and client: what the server says is opened, changed by rules,
// and protected again, so that changes reach what a broken record would hide.
#ifndef TLS_CLIENT_CERT_FUZZ_TAMPERING_H_
#define TLS_CLIENT_CERT_FUZZ_TAMPERING_H_

#include <openssl/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bytes.h"
#include "record_cipher.h"

namespace tls_client_cert::fuzz {

// One change of one message or record. `where` is which one it meets: below
// 0x80 the next but so many, from there on the next message of a type.
struct Rule {
  enum class Kind : uint8_t {
    // Messages of the handshake.
    kChangeField,  // a: field, change; b: amount
    kFlip,         // a, b: place; b: bit
    kDrop,
    kRepeat,
    kHold,    // until the next one is through
    kCut,     // to a bytes
    kExtend,  // by a bytes
    kLength,  // in the header, a higher
    kRetype,  // to a
    kReplay,  // one of an earlier connection in its place: a
    kJoin,    // into one record with the next
    kSplit,   // into records of a bytes
    kBefore,  // puts a message of type a, and b bytes, before it
    // Records, as they are on the wire.
    kDropRecord,
    kRepeatRecord,
    kHoldRecord,
    kCutRecord,
    kFlipRecord,
    kRetypeRecord,
    kLengthRecord,
    kVersionRecord,
    kReplayRecord,
    // A record of type a with b bytes, before this one, protected like it.
    kInject,
    kInjectPlain,
    kPad,  // TLS 1.3
  };
  static constexpr int kKinds = 25;

  Kind kind = Kind::kFlip;
  uint8_t where = 0;
  uint8_t a = 0;
  uint8_t b = 0;
};

// What an earlier connection's server said.
struct Recording {
  std::vector<Bytes> messages;
  std::vector<Bytes> records;
};

class Tampering {
 public:
  // With `proof_key`, the server's, what proves the handshake in TLS 1.3 is
  // made anew when something before it was changed.
  Tampering(const Recording& earlier, EVP_PKEY* proof_key)
      : earlier_(earlier), proof_key_(proof_key) {}

  void Arm(const Rule& rule) { rules_.push_back(rule); }
  // In place of the body of the next message of that type.
  void ReplaceBody(uint8_t type, Bytes body);

  // Lines of SSL_CTX_set_keylog_callback(3).
  void ServerKeyLine(const std::string& line);
  void ClientKeyLine(const std::string& line);

  void FromClient(BytesView ciphertext);
  // What of it, or in its place, the client is to get.
  Bytes FromServer(BytesView ciphertext);

  // Whether the client has seen all as it was said so far.
  bool changed() const { return changed_; }
  void set_recording(Recording* recording) { recording_ = recording; }

 private:
  struct Keys {
    std::string client_random;
    Bytes handshake;  // the server's traffic secrets
    Bytes application;
    Bytes master;
  };
  static void ReadKeyLine(const std::string& line, Keys* keys);

  std::optional<Rule> Due(bool for_records, int type);
  void OnRecord(BytesView record, Bytes* out);
  void OnHandshakeBytes(Bytes* out);
  void OnMessage(Bytes message, Bytes* out);
  void Prove(Bytes* message) const;
  void Seen(const Bytes& message);
  void Send(const Bytes& message, Bytes* out);
  void SendContent(const Content& content, Bytes* out);
  void SendRecord(Bytes record, Bytes* out);
  void ServerHello(const Bytes& message);
  void UseHandshakeKeys();
  void UseApplicationKeys();
  void UseTls12Keys();

  const Recording& earlier_;
  EVP_PKEY* proof_key_;
  Recording* recording_ = nullptr;
  std::vector<Rule> rules_;
  std::optional<std::pair<uint8_t, Bytes>> body_;
  Keys server_keys_;
  Keys client_keys_;
  bool tls13_ = false;
  bool in_hello_retry_ = false;
  bool hello_done_ = false;
  bool seals_anew_ = false;  // with what comes next
  Bytes server_random_;
  std::optional<RecordCipher> open_;
  std::optional<RecordCipher> seal_;
  Bytes open_secret_;  // for the next KeyUpdate
  Bytes seal_secret_;
  Bytes incoming_;      // part of a record
  Bytes handshake_;     // part of a message
  Bytes client_bytes_;  // likewise, before the ServerHello
  Bytes transcript_;    // as the client has it; TLS 1.3
  Bytes joined_;
  std::vector<Bytes> held_messages_;
  std::vector<Bytes> held_records_;
  size_t split_ = 0;
  size_t padding_ = 0;
  bool changed_ = false;
};

}  // namespace tls_client_cert::fuzz

#endif  // TLS_CLIENT_CERT_FUZZ_TAMPERING_H_
