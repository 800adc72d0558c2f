// What a server may ask for: names, signature schemes, types of certificates;
// by itself, and in a CertificateRequest of a connection in its four phases.
#include <openssl/err.h>
#include <openssl/ssl3.h>

#include <algorithm>

#include "distinguished_name.h"
#include "handshake_log.h"
#include "parts.h"
#include "require.h"
#include "target.h"
#include "world.h"

namespace tls_client_cert::fuzz {

namespace {

constexpr int kModes = 4;

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

}  // namespace

void Execute(BytesView bytes) {
  const Parts parts = ReadParts(bytes);
  switch (parts.mode % kModes) {
    case 0:
      return Names(parts);
    case 1:
      return CommonNames(parts);
    case 2:
      return Log(parts);
    default:
      return Schemes(parts);
  }
}

}  // namespace tls_client_cert::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  tls_client_cert::fuzz::TheWorld();
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                          size_t max_size, unsigned seed) {
  return tls_client_cert::fuzz::MutateParts(data, size, max_size, seed,
                                            tls_client_cert::fuzz::kModes);
}
