// A client's connection against a server that OpenSSL plays, and whose words
// are changed on their way. The input is a Setting and a list of Instructions.

#include "asked_for.h"
#include "conversation.h"
#include "script_mutator.h"
#include "target.h"

namespace tls_client_cert::fuzz {

namespace {

constexpr int kMostInstructions = 40;

// What connections to an honest server left, for each of World::servers.
struct Past {
  Recording recording;
  std::vector<Bytes> sessions;
};

Past Remember(int server) {
  static const Recording nothing;
  Past past;
  for (const uint8_t who : {0, 1, 2}) {
    Setting setting;
    setting.version = setting.server = server;
    setting.answer = who;
    setting.request = 0x38;
    Conversation conversation(setting, nothing, {});
    if (who == 1) conversation.tampering().set_recording(&past.recording);
    conversation.Finish();
    const auto& sessions = conversation.sessions();
    past.sessions.insert(past.sessions.end(), sessions.begin(), sessions.end());
  }
  return past;
}

const Past& ThePast(int server) {
  static const Past* const pasts[] = {new Past(Remember(0)),
                                      new Past(Remember(1))};
  return *pasts[server];
}

bool IsAskedFor(uint8_t first) { return (first & 3) == 3; }

}  // namespace

void Execute(BytesView bytes) {
  Input input(bytes);
  if (!input.empty() && IsAskedFor(input.rest().data[0])) {
    input.Byte();
    return AskFor(ReadParts(input.rest()));
  }
  const Setting setting(&input);
  const Past& past = ThePast(setting.server);
  Conversation conversation(setting, past.recording, past.sessions);
  for (int i = 0; i < kMostInstructions && !input.empty(); i++) {
    Instruction instruction;
    instruction.kind =
        static_cast<Instruction::Kind>(input.Byte() % Instruction::kKinds);
    instruction.a = input.Byte();
    instruction.b = input.Byte();
    instruction.c = input.Byte();
    instruction.d = input.Byte();
    conversation.Perform(instruction);
  }
  conversation.Finish();
}

}  // namespace tls_client_cert::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  tls_client_cert::fuzz::TheWorld();
  tls_client_cert::fuzz::ThePast(0);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                          size_t max_size, unsigned seed) {
  if (size > 1 && tls_client_cert::fuzz::IsAskedFor(data[0])) {
    return 1 + tls_client_cert::fuzz::MutateParts(data + 1, size - 1,
                                                  max_size - 1, seed, 4);
  }
  return tls_client_cert::fuzz::MutateScript(
      data, size, max_size, seed, tls_client_cert::fuzz::Setting::kSize,
      tls_client_cert::fuzz::Instruction::kSize);
}
