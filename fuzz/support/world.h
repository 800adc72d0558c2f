// What all executions of a process share, made once: keys, certificates,
// contexts of clients and servers, and what earlier connections left.
#ifndef TLS_CLIENT_CERT_FUZZ_WORLD_H_
#define TLS_CLIENT_CERT_FUZZ_WORLD_H_

#include <memory>
#include <vector>

#include "context.h"
#include "credential.h"
#include "memory_server.h"
#include "pki.h"
#include "tampering.h"

namespace tls_client_cert::fuzz {

// Somebody whom the client may be. The key is there for the signers.
struct Person {
  test::Identity identity;
  Credential::Pointer credential;
  Credential::Pointer external;
};

// Small keys: what they are is of interest, not how strong they are.
struct World {
  World();

  test::Identity root;
  test::Identity other_root;
  test::Identity server;
  std::vector<Person> people;
  // Saved inputs count the people. These are whom a server's request or the
  // security level rules out: an external RSA key that can do RSA-PSS alone, a
  // key of 512 bits.
  Credential::Pointer restricted;
  Credential::Pointer weak;
  test::Identity rsa_server;

  // By trust: in the server's root, in the server itself, in somebody else.
  static constexpr int kTrusts = 3;
  // By version: TLS 1.2, 1.3, either.
  static constexpr int kVersions = 3;
  Context::Pointer contexts[kTrusts][kVersions];

  // TLS 1.2 and 1.3.
  std::unique_ptr<test::MemoryServer> servers[2];
};

// Made at the first call, which LLVMFuzzerInitialize should be.
const World& TheWorld();

Credential::Pointer ExternalCredential(const test::Identity& identity,
                                       std::vector<SignatureScheme> schemes);

}  // namespace tls_client_cert::fuzz

#endif  // TLS_CLIENT_CERT_FUZZ_WORLD_H_
