{
  "variables": {
    # CI sets it: -Dtcc_werror=1
    "tcc_werror%": 0,
  },
  "targets": [
    {
      "target_name": "tls_client_cert",
      "sources": [
        "native/addon.cc",
        "native/binding/connection_wrap.cc",
        "native/binding/context_wrap.cc",
        "native/binding/convert.cc",
        "native/binding/credential_wrap.cc",
        "native/binding/trust_store_wrap.cc",
        "native/openssl/certificate_reader.cc",
        "native/openssl/certificate_request.cc",
        "native/openssl/client_cert.cc",
        "native/openssl/connection.cc",
        "native/openssl/context.cc",
        "native/openssl/credential.cc",
        "native/openssl/distinguished_name.cc",
        "native/openssl/error_stack.cc",
        "native/openssl/failure.cc",
        "native/openssl/handshake_log.cc",
        "native/openssl/key_reader.cc",
        "native/openssl/server_verification.cc",
        "native/openssl/signature_scheme.cc",
        "native/openssl/trust_store.cc",
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "cflags_cc": ["-std=c++17", "-fvisibility=hidden", "-Wall", "-Wextra"],
      "defines": [
        "NAPI_VERSION=8",
        "NAPI_DISABLE_CPP_EXCEPTIONS",
        "NODE_ADDON_API_DISABLE_DEPRECATED",
        # A worker that is terminated in the middle of a call of ours can be
        # thrown nothing any more; without this the whole process would abort.
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
        # OpenSSL comes from Node's own binary: nothing is linked.
        "OPENSSL_API_COMPAT=30000",
        "OPENSSL_NO_DEPRECATED",
      ],
      "conditions": [
        ["tcc_werror==1", {"cflags_cc": ["-Werror"]}],
        # OpenSSL keeps pointers to our callbacks after the last worker thread
        # that loaded us has ended, so the code must never be unloaded.
        ["OS=='linux'", {"ldflags": ["-Wl,-z,nodelete"]}],
        [
          "OS=='mac'",
          {
            "xcode_settings": {
              "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
              "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
              "MACOSX_DEPLOYMENT_TARGET": "11.0",
            }
          },
        ],
      ],
    }
  ],
}
