// What a server may ask for: names, signature schemes, types of certificates;
// by itself, and in a CertificateRequest of a connection in its four phases.
#include <openssl/err.h>
#include <openssl/ssl3.h>

#include <algorithm>

#include "certificate_request.h"
#include "conversation.h"
#include "distinguished_name.h"
#include "handshake_log.h"
#include "openssl_memory.h"
#include "parts.h"
#include "require.h"

namespace tls_client_cert::fuzz {

namespace {

using Kind = Instruction::Kind;

void Append(Bytes* to, BytesView bytes) {
  to->insert(to->end(), bytes.data, bytes.data + bytes.size);
}

void AppendVector(Bytes* to, size_t width, BytesView content) {
  const size_t size = std::min(content.size, (size_t{1} << (8 * width)) - 1);
  for (size_t i = width; i-- > 0;) {
    to->push_back(static_cast<uint8_t>(size >> (8 * i)));
  }
  Append(to, {content.data, size});
}

void Names(const Parts& parts) {
  for (const Bytes& part : parts.parts) {
    const auto name = ParseDistinguishedName(part);
    REQUIRE(ERR_peek_error() == 0);
    if (name) REQUIRE(name->attributes.empty() || !name->text.empty());
  }
}

void CommonNames(const Parts& parts) {
  std::vector<BytesView> some;
  std::vector<BytesView> others;
  for (size_t i = 0; i < parts.parts.size(); i++) {
    ((parts.flags >> (i % 8) & 1) != 0 ? others : some).push_back(parts.at(i));
  }
  // Who is looked for in whom makes no difference.
  REQUIRE(HaveCommonName(some, others) == HaveCommonName(others, some));
  REQUIRE(HaveCommonName(some, some) == !some.empty());
  REQUIRE(ERR_peek_error() == 0);
}

void Log(const Parts& parts) {
  HandshakeLog log;
  int i = 0;
  for (const Bytes& part : parts.parts) {
    const bool flag = (parts.flags >> (i++ % 8) & 1) != 0;
    const int version =
        (parts.mode & 0x80) != 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
    const int type =
        (parts.mode & 0x40) != 0 ? SSL3_RT_ALERT : SSL3_RT_HANDSHAKE;
    log.Record(flag, version, type, part);
    if (flag) log.EndRenegotiation(i % 2 == 0);
  }
}

void Schemes(const Parts& parts) {
  const ErrorMark errors;
  std::vector<SignatureScheme> schemes;
  const BytesView bytes = parts.at(0);
  for (size_t i = 0; i + 1 < bytes.size && i < 64; i += 2) {
    schemes.push_back(
        static_cast<SignatureScheme>(bytes.data[i] << 8 | bytes.data[i + 1]));
  }
  for (const Person& person : TheWorld().people) {
    EVP_PKEY* key = person.external->key();
    for (const SignatureScheme scheme : schemes) {
      for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        if (!KeyFitsScheme(key, scheme, version)) continue;
        const SignatureForm form = {DigestOfScheme(scheme), IsRsaPss(scheme)};
        // To and fro leads back, but to another number for the same below 1.3.
        const auto back = SchemeOf(key, form, version);
        REQUIRE(back.has_value());
        REQUIRE(version == TLS1_2_VERSION || *back == scheme);
        REQUIRE(DigestOfScheme(*back) == form.digest);
      }
    }
    CertificateSignedUnder(person.identity.certificate.get(), schemes);
  }
  SchemeOf(TheWorld().people[0].identity.key.get(),
           {static_cast<int>(parts.flags) << 2, (parts.flags & 1) != 0},
           TLS1_3_VERSION);
}

// The first two parts are lists of schemes, or of types; all others are names.
Bytes Compose(const Parts& parts, bool tls13) {
  if ((parts.flags & 1) != 0) {
    return Bytes(parts.at(0).data, parts.at(0).data + parts.at(0).size);
  }
  Bytes names;
  for (size_t i = 2; i < parts.parts.size(); i++) {
    AppendVector(&names, 2, parts.at(i));
  }
  Bytes body;
  if (!tls13) {
    AppendVector(&body, 1, parts.at(1));
    AppendVector(&body, 2, parts.at(0));
    AppendVector(&body, 2, names);
    return body;
  }
  Bytes extensions;
  const auto extension = [&](uint8_t type, BytesView list) {
    Bytes content;
    AppendVector(&content, 2, list);
    extensions.push_back(0);
    extensions.push_back(type);
    AppendVector(&extensions, 2, content);
  };
  extension(TLSEXT_TYPE_signature_algorithms, parts.at(0));
  if (parts.at(1).size > 0) {
    extension(TLSEXT_TYPE_signature_algorithms_cert, parts.at(1));
  }
  if (!names.empty()) extension(TLSEXT_TYPE_certificate_authorities, names);
  AppendVector(&body, 1, {});
  AppendVector(&body, 2, extensions);
  return body;
}

// A connection in which it is asked for, up to the answer and what it leads to.
void InConnection(const Parts& parts, bool tls13, bool later) {
  static const Recording nothing;
  Setting setting;
  setting.version = setting.server = tls13 ? 1 : 0;
  // The server's certificate is trusted as it is: one signature less to verify.
  setting.trust = 1;
  setting.answer = parts.flags >> 1 & 7;
  setting.auth = later ? test::ClientAuth::kLater : test::ClientAuth::kRequest;
  if (later && !tls13) setting.auth = test::ClientAuth::kNone;
  Conversation conversation(setting, nothing, {});
  const auto replace = [&] {
    conversation.tampering().ReplaceBody(SSL3_MT_CERTIFICATE_REQUEST,
                                         Compose(parts, tls13));
  };
  const auto perform = [&](Kind kind) { conversation.Perform({kind}); };
  if (!later) replace();
  for (int i = 0; i < 3; i++) {
    perform(Kind::kRun);
    if (conversation.client().asked()) break;
    perform(Kind::kReact);
  }
  if (later) {
    perform(Kind::kRun);
    replace();
    conversation.ServerAsks();
    for (int i = 0; i < 4; i++) {
      perform(Kind::kRun);
      if (conversation.client().asked()) break;
      perform(Kind::kReact);
    }
  }
  if (!conversation.client().asked()) return;
  const CertificateRequest request = conversation.client().request();
  REQUIRE(tls13 ? request.certificate_types.empty()
                : request.certificate_types.size() <= 255);
  std::vector<BytesView> names;
  for (const Bytes& name : request.authorities) {
    // OpenSSL has read it as a name.
    ParseDistinguishedName(name);
    names.emplace_back(name);
  }
  REQUIRE(HaveCommonName(names, names) == !names.empty());
  perform(Kind::kFacts);
  perform(Kind::kReact);
  perform(Kind::kRun);
  perform(Kind::kReact);
  perform(Kind::kRun);
}

void Execute(const Parts& parts) {
  switch (parts.mode % 8) {
    case 0:
      return Names(parts);
    case 1:
      return CommonNames(parts);
    case 2:
      return Log(parts);
    case 3:
      return Schemes(parts);
    case 4:
      return InConnection(parts, false, false);
    case 5:
      return InConnection(parts, true, false);
    case 6:
      return InConnection(parts, false, true);
    default:
      return InConnection(parts, true, true);
  }
}

}  // namespace

}  // namespace tls_client_cert::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  tls_client_cert::fuzz::TheWorld();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tls_client_cert::fuzz;  // NOLINT: of this function's
  LeavingNothing([&] {
    Execute(ReadParts({data, size}));
    ERR_clear_error();
  });
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                          size_t max_size, unsigned seed) {
  return tls_client_cert::fuzz::MutateParts(data, size, max_size, seed);
}
