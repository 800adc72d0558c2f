// One execution of the handshake target: a client, a real server, and between
// them Tampering, all as a script says.
#ifndef TLS_CLIENT_CERT_FUZZ_CONVERSATION_H_
#define TLS_CLIENT_CERT_FUZZ_CONVERSATION_H_

#include <memory>
#include <optional>
#include <vector>

#include "connection.h"
#include "input.h"
#include "recalled_server.h"
#include "tampering.h"
#include "world.h"

namespace tls_client_cert::fuzz {

// Rare circumstances. The numbers are part of saved inputs, and were chosen
// from those that none of them had.
enum class Special : uint8_t {
  kDiffieHellman = 22,   // TLS 1.2 by a group of 1024 bits
  kWithoutRfc5746 = 25,  // a server of TLS 1.2 that never heard of it
  kRestricted = 27,      // the client answers as World::restricted
  kWeak = 34,            // as World::weak
};

// Who talks to whom, and what is done where the script says nothing.
struct Setting {
  explicit Setting(Input* input);
  Setting() = default;

  static constexpr size_t kSize = 8;

  int version = 0;  // as World::contexts has them
  int server = 0;   // as World::servers has them
  int trust = 0;
  test::ClientAuth auth = test::ClientAuth::kRequest;
  bool proves = true;  // see Tampering
  bool retries = false;
  bool has_credentials = false;
  bool asks = true;
  bool post_handshake = true;
  bool reselects = false;
  bool ocsp = false;
  bool shared_keys = false;
  bool resumes = false;
  bool requires_client_cert = false;
  uint8_t answer = 1;  // Conversation::CredentialOf; none: it declines
  uint8_t alpn = 0;
  uint8_t chunk = 0;  // how much the client is fed at a time; 0: all
  uint8_t request = 0;
  bool resumes_renegotiated = false;
  int renegotiations = 3;
  int min_dh_bits = 0;
  uint64_t seed = 0;
  Special special{};
};

// What is done next. The numbers are part of saved inputs: add at the end.
struct Instruction {
  enum class Kind : uint8_t {
    kTamper,  // a Rule
    kRun,
    kHandshake,
    kRead,
    kWrite,
    kShutdown,
    kRenegotiate,
    kDisableRenegotiation,
    kAccept,
    kRefuse,
    kAnswer,
    kDecline,
    kAskAgain,
    kSign,
    kOcsp,
    kSharedKey,
    kFacts,
    kTrace,
    kFragment,
    kAbandon,
    kTakeSession,
    kEnd,
    kReconnect,
    kServerWrite,
    kServerClose,
    kServerRenegotiate,
    kServerRequest,
    kServerKeyUpdate,
    kServerTicket,
    kServerWants,
    kDeafServer,
    kReact,
  };
  static constexpr int kKinds = 32;
  static constexpr size_t kSize = 5;

  Kind kind = Kind::kRun;
  uint8_t a = 0;
  uint8_t b = 0;
  uint8_t c = 0;
  uint8_t d = 0;
};

// The rules by which a connection ought to go hold whatever a server does; the
// process ends where one does not.
class Conversation {
 public:
  Conversation(const Setting& setting, const Recording& earlier,
               const std::vector<Bytes>& sessions);

  void Perform(const Instruction& instruction);
  // Goes on as well-behaved callers would, to the end.
  void Finish();

  Tampering& tampering() { return *tampering_; }
  Connection& client() { return *client_; }
  const std::vector<Bytes>& sessions() const { return sessions_; }

  // 0: nobody.
  Credential::Pointer CredentialOf(uint8_t choice) const;

 private:
  static constexpr int kMostClients = 3;

  void Connect(const Bytes& session);
  std::unique_ptr<test::MemoryServer> MakeServer() const;
  // As the server's request has them.
  static void WantSchemes(SSL* server, uint8_t which);
  Step After(Step step);
  void Watch();
  void Accept();
  // `said`: by the server, unasked.
  void Move(Bytes said = {});
  bool Feed();
  Step Run();
  bool React();
  void Answer(uint8_t choice);
  void Sign(uint8_t how);
  void AnswerSharedKey(uint8_t how);
  static void Act(Instruction::Kind kind, uint8_t a, uint8_t b,
                  test::MemoryServer* server);
  void LookAtFacts(uint8_t which);

  const World& world_;
  const Setting setting_;
  const Recording& earlier_;
  std::optional<Tampering> tampering_;
  std::optional<RecalledServer> server_;
  std::unique_ptr<Connection> client_;
  Bytes to_client_;
  Storage spare_;  // lent to the client's queues
  std::vector<Bytes> sessions_;
  Step last_ = Step::kWantRead;
  // Whether the client waits for a word about the server, or has it.
  enum class Judgement { kNone, kAsked, kDecided };
  Judgement judgement_ = Judgement::kNone;
  bool accepted_ = false;
  bool shown_before_ = false;  // a certificate, to whom was judged before
  Bytes to_sign_;
  bool answered_ = false;
  bool abandoned_ = false;
  bool deaf_ = false;
  int clients_ = 0;
};

}  // namespace tls_client_cert::fuzz

#endif  // TLS_CLIENT_CERT_FUZZ_CONVERSATION_H_
