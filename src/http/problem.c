/* SPDX-License-Identifier: MIT
 *
 * problem.c - see problem.h.
 */
#include "http/problem.h"

#define BAD_REQUEST   "400 Bad Request"
#define NOT_FOUND     "404 Not Found"
#define UNPROCESSABLE "422 Unprocessable Content"
#define UNAVAILABLE   "503 Service Unavailable"

static const struct problem_text texts[] = {
    [PROBLEM_MALFORMED] = {BAD_REQUEST, "requisicao-invalida", "Not a valid HTTP request",
                           "the request is not HTTP/1.1 or 1.0 as RFC 9112 has it", false},
    [PROBLEM_JSON] = {BAD_REQUEST, "json-invalido", "Not a JSON text",
                      "the body must be one well-formed JSON text (RFC 8259)", false},
    [PROBLEM_KEY] = {BAD_REQUEST, "chave-invalida", "Not an idempotency key",
                     "Idempotency-Key must be given once, as 1 to 64 visible ASCII characters",
                     false},
    [PROBLEM_ROUTE] = {NOT_FOUND, "rota-desconhecida", "No such resource",
                       "the resources are /clientes/{id}/transacoes, /clientes/{id}/extrato and "
                       "/healthz",
                       false},
    [PROBLEM_CLIENT] = {NOT_FOUND, "cliente-desconhecido", "No such client",
                        "no client has this id", false},
    [PROBLEM_METHOD_NOT_ALLOWED] = {"405 Method Not Allowed", "metodo-nao-permitido",
                                    "Method not allowed here",
                                    "the Allow field names the methods of this resource", false},
    [PROBLEM_TIMEOUT] = {"408 Request Timeout", "tempo-esgotado", "The request took too long",
                         "a request must arrive within 15 seconds of its first byte", false},
    [PROBLEM_BODY_TOO_LARGE] = {"413 Content Too Large", "corpo-grande-demais", "Body too large",
                                "a body may have at most 4096 bytes", false},
    [PROBLEM_FIELD] = {UNPROCESSABLE, "campo-invalido", "A field is not valid",
                       "the body must be an object with valor, tipo and descricao", false},
    [PROBLEM_LIMIT] = {UNPROCESSABLE, "limite-excedido", "Credit limit exceeded",
                       "valor: this debit would take saldo below -limite", false},
    [PROBLEM_BALANCE_MAX] = {UNPROCESSABLE, "saldo-maximo", "Balance too large",
                             "valor: this credit would take saldo past 9007199254740991", false},
    [PROBLEM_KEY_REUSED] = {UNPROCESSABLE, "chave-reutilizada", "Idempotency key used before",
                            "Idempotency-Key: this key belongs to a transaction with another "
                            "valor, tipo or descricao",
                            false},
    [PROBLEM_FRAMING_TOO_LARGE] = {"431 Request Header Fields Too Large", "cabecalho-grande-demais",
                                   "Header too large",
                                   "all of a request but its body may have at most 8192 bytes",
                                   false},
    [PROBLEM_METHOD_UNKNOWN] = {"501 Not Implemented", "metodo-desconhecido", "Unknown method",
                                "this method is not implemented for any resource", false},
    [PROBLEM_CONNECTIONS] = {UNAVAILABLE, "indisponivel", "Too many connections",
                             "the connection limit is reached; nothing happened", true},
    [PROBLEM_BUSY] = {UNAVAILABLE, "indisponivel", "Too many requests waiting",
                      "the queue is full; nothing happened", true},
    [PROBLEM_NO_SPACE] = {UNAVAILABLE, "indisponivel", "No space left",
                          "the store is full; nothing happened", true},
    [PROBLEM_DOWN] = {UNAVAILABLE, "indisponivel", "The store cannot serve",
                      "the store cannot serve this now; nothing happened", true},
    [PROBLEM_CORRUPT] = {UNAVAILABLE, "indisponivel", "The account cannot be read",
                         "what the store holds of this account is damaged; nothing happened", true},
    [PROBLEM_UNKNOWN] = {"504 Gateway Timeout", "resultado-desconhecido", "Outcome unknown",
                         "whether this happened is not known; a retry with the same "
                         "Idempotency-Key settles it",
                         false},
};

const struct problem_text *problem_text(enum problem problem)
{
    return &texts[problem];
}

enum problem problem_of(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_OK: return PROBLEM_NONE;
    case OUTCOME_NO_CLIENT: return PROBLEM_CLIENT;
    case OUTCOME_CLIENT_EXISTS: break; /* no request opens an account */
    case OUTCOME_LIMIT_EXCEEDED: return PROBLEM_LIMIT;
    case OUTCOME_BALANCE_MAX: return PROBLEM_BALANCE_MAX;
    case OUTCOME_KEY_REUSED: return PROBLEM_KEY_REUSED;
    case OUTCOME_BUSY: return PROBLEM_BUSY;
    case OUTCOME_NO_SPACE: return PROBLEM_NO_SPACE;
    case OUTCOME_DOWN: return PROBLEM_DOWN;
    case OUTCOME_CORRUPT: return PROBLEM_CORRUPT;
    case OUTCOME_UNKNOWN: return PROBLEM_UNKNOWN;
    }
    return PROBLEM_DOWN;
}
