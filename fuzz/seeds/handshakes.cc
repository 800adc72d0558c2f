#include "conversation.h"
#include "message_shape.h"
#include "seeds.h"

namespace tls_client_cert::fuzz {

namespace {

using Kind = Instruction::Kind;

Bytes Script(const Bytes& head, const std::vector<Instruction>& script) {
  Bytes out = head;
  out.resize(Setting::kSize);
  for (const Instruction& next : script) {
    const uint8_t entry[] = {static_cast<uint8_t>(next.kind), next.a, next.b,
                             next.c, next.d};
    out.insert(out.end(), entry, entry + sizeof(entry));
  }
  return out;
}

Instruction Tamper(Rule::Kind kind, uint8_t where, uint8_t a = 0,
                   uint8_t b = 0) {
  return {Kind::kTamper, static_cast<uint8_t>(kind), where, a, b};
}

// What is rarely so: see Special.
void WriteSpecials(Folder* folder) {
  const auto rare = [](Special special, uint8_t renegotiations) {
    return static_cast<uint8_t>(static_cast<uint8_t>(special) << 2 |
                                renegotiations);
  };
  const std::vector<Instruction> renegotiates = {
      {Kind::kRun},         {Kind::kReact}, {Kind::kRun},
      {Kind::kReact},       {Kind::kRun},   {Kind::kFacts, 4},
      {Kind::kRenegotiate}, {Kind::kRun},   {Kind::kServerRequest}};
  for (const uint8_t bits : {0, 64, 128}) {
    folder->Write(
        Script({0, 0, 1, 0, 0, rare(Special::kDiffieHellman, 3), bits}, {}));
  }
  folder->Write(
      Script({0, 0, 1, 0, 0, rare(Special::kDiffieHellman, 3)}, renegotiates));
  for (const uint8_t alpn : {0, 1}) {
    folder->Write(Script({0, 0, static_cast<uint8_t>(alpn << 4), 0, 0,
                          rare(Special::kWithoutRfc5746, 3)},
                         renegotiates));
  }
  for (const uint8_t version : {0, 1}) {
    for (const uint8_t flags : {0, 1, 8}) {
      for (const Special special : {Special::kRestricted, Special::kWeak}) {
        folder->Write(Script(
            {version, flags, 4, 0, 0, rare(special, 3)},
            {{Kind::kRun}, {Kind::kReact}, {Kind::kRun}, {Kind::kFacts}}));
      }
    }
  }
  // Somebody else each time the server asks.
  std::vector<Instruction> others = {{Kind::kRun}};
  for (const uint8_t who : {1, 2, 6, 1}) {
    others.insert(others.end(), {{Kind::kAccept},
                                 {Kind::kRun},
                                 {Kind::kAnswer, who},
                                 {Kind::kRun},
                                 {Kind::kServerRequest},
                                 {Kind::kRun}});
  }
  folder->Write(Script({0, 8, 1, 0, 0, 3}, others));
  folder->Write(Script({1 | 0x10, 8, 1}, others));
  // More tickets than are kept.
  std::vector<Instruction> tickets = {
      {Kind::kRun}, {Kind::kReact}, {Kind::kRun}, {Kind::kReact}, {Kind::kRun}};
  tickets.insert(tickets.end(), 12, {Kind::kServerTicket});
  tickets.insert(tickets.end(),
                 {{Kind::kRead, 1, 1}, {Kind::kReact}, {Kind::kRead, 1, 1}});
  folder->Write(Script({1, 0, 1}, tickets));
  // By every reason that there is, the first of which counts.
  for (int from = 0; from < 100; from += 32) {
    std::vector<Instruction> reasons = {{Kind::kRun}};
    for (int i = from; i < from + 32; i++) {
      reasons.push_back({Kind::kRefuse, static_cast<uint8_t>(i)});
    }
    folder->Write(Script({1}, reasons));
  }
  for (const uint8_t chunk : {1, 255}) {
    folder->Write(Script({0, 0, 1, chunk, 0x20}, {}));
    folder->Write(Script({1, 0, 1, chunk, 0x20}, {{Kind::kRun},
                                                  {Kind::kReact},
                                                  {Kind::kRun},
                                                  {Kind::kReact},
                                                  {Kind::kRun},
                                                  {Kind::kWrite, 99, 15},
                                                  {Kind::kServerWrite, 99, 7},
                                                  {Kind::kReact},
                                                  {Kind::kRead, 3},
                                                  {Kind::kReact}}));
  }
  for (const uint8_t version : {0, 1}) {
    for (const uint8_t flags : {0, 32}) {
      folder->Write(Script({version, flags, 1}, {{Kind::kRun},
                                                 {Kind::kFacts, 6},
                                                 {Kind::kReact},
                                                 {Kind::kRun},
                                                 {Kind::kFacts, 6}}));
    }
  }
}

}  // namespace

void WriteHandshakes(Folder folder) {
  WriteAskedFor(&folder);
  WriteSpecials(&folder);
  // See Setting's constructor: version, flags, who, chunk, request.
  for (const uint8_t version : {0, 1, 6}) {
    for (const uint8_t who : {0, 1, 2, 3, 4, 5}) {
      folder.Write(Script({version, 0, who, 0, 0x3f}, {}));
    }
    for (int flag = 0; flag < 8; flag++) {
      const uint8_t flags = static_cast<uint8_t>(1 << flag);
      folder.Write(Script({version, flags, 1, 0, 0xa0}, {}));
      folder.Write(Script({version, flags, 4, 7, 0x18}, {}));
    }
    folder.Write(Script({static_cast<uint8_t>(version | 0x40), 0, 1}, {}));
    folder.Write(Script({version, 0, 0x11}, {}));
    folder.Write(Script({version, 0, 0x81}, {}));
    for (const uint8_t who : {1, 4}) {
      // Questions after the handshake, and what else may come then.
      folder.Write(
          Script({static_cast<uint8_t>(version | 0x10), 0, who, 0, 0x20},
                 {{Kind::kRun},
                  {Kind::kReact},
                  {Kind::kRun},
                  {Kind::kReact},
                  {Kind::kRun},
                  {Kind::kServerRequest},
                  {Kind::kRun},
                  {Kind::kFacts},
                  {Kind::kReact},
                  {Kind::kRun},
                  {Kind::kReact},
                  {Kind::kRun},
                  {Kind::kServerWrite, 200, 2},
                  {Kind::kWrite, 100},
                  {Kind::kRun},
                  {Kind::kServerKeyUpdate, 1},
                  {Kind::kRun},
                  {Kind::kServerTicket},
                  {Kind::kRun},
                  {Kind::kServerClose},
                  {Kind::kRun}}));
      folder.Write(Script({version, 0, who}, {{Kind::kRun},
                                              {Kind::kAccept},
                                              {Kind::kRun},
                                              {Kind::kFacts},
                                              {Kind::kAskAgain},
                                              {Kind::kRun},
                                              {Kind::kAnswer, who},
                                              {Kind::kRun},
                                              {Kind::kSign, 2},
                                              {Kind::kRun},
                                              {Kind::kSign},
                                              {Kind::kRun},
                                              {Kind::kRenegotiate},
                                              {Kind::kRun},
                                              {Kind::kAccept},
                                              {Kind::kRun},
                                              {Kind::kDecline},
                                              {Kind::kRun},
                                              {Kind::kServerRenegotiate},
                                              {Kind::kRun},
                                              {Kind::kReact},
                                              {Kind::kRun},
                                              {Kind::kReact}}));
      // Whatever may be called while an answer is waited for.
      folder.Write(
          Script({static_cast<uint8_t>(version | 0x10), 0, who, 0, 0x20},
                 {{Kind::kRun},
                  {Kind::kReact},
                  {Kind::kRun},
                  {Kind::kReact},
                  {Kind::kRun},
                  {Kind::kServerRequest},
                  {Kind::kRun},
                  {Kind::kAccept},
                  {Kind::kRun},
                  {Kind::kAnswer, who},
                  {Kind::kRun},
                  {Kind::kHandshake},
                  {Kind::kWrite, 9},
                  {Kind::kRead, 9},
                  {Kind::kShutdown},
                  {Kind::kRenegotiate},
                  {Kind::kServerWrite, 9},
                  {Kind::kRun},
                  {Kind::kReact}}));
      folder.Write(Script({version, 0, who}, {{Kind::kRun},
                                              {Kind::kAccept},
                                              {Kind::kRun},
                                              {Kind::kAnswer, who},
                                              {Kind::kRun},
                                              {Kind::kAbandon},
                                              {Kind::kServerClose},
                                              {Kind::kRun}}));
    }
    folder.Write(Script({version, 0, 1}, {{Kind::kRun}, {Kind::kRefuse, 62}}));
    folder.Write(Script({version, 0, 1, 0, 0x18}, {{Kind::kTrace},
                                                   {Kind::kRun},
                                                   {Kind::kReact},
                                                   {Kind::kRun},
                                                   {Kind::kReact},
                                                   {Kind::kRun},
                                                   {Kind::kTakeSession},
                                                   {Kind::kRun},
                                                   {Kind::kReact},
                                                   {Kind::kReconnect},
                                                   {Kind::kRun},
                                                   {Kind::kFacts, 1}}));
    for (int kind = 0; kind < Rule::kKinds; kind++) {
      const auto rule = static_cast<Rule::Kind>(kind);
      folder.Write(Script({version, 0, 1, 0, 0x20}, {Tamper(rule, 1, 14, 1)}));
      folder.Write(
          Script({version, 0, 1, 0, 0xa0}, {Tamper(rule, 0x82, 43, 5)}));
    }
    for (uint8_t change = 0; change < kFieldChanges; change++) {
      for (const uint8_t field : {0, 2, 5}) {
        folder.Write(Script(
            {version, 0, 1, 0, 0xa0},
            {Tamper(Rule::Kind::kChangeField, 0x82,
                    static_cast<uint8_t>(field * kFieldChanges + change), 2)}));
      }
    }
  }
}

}  // namespace tls_client_cert::fuzz
