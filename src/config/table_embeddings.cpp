// Rows of [embeddings]: keys, bounds and sentences. Defaults are those of settings.h.
#include <array>

#include "config/row_makers.h"
#include "config/table.h"

namespace mainstay::config {
namespace {

constexpr auto kEmbeddings = &Settings::embeddings;
using Embedding = EmbeddingSettings;

constexpr std::array kRows = {
    row<kEmbeddings, &Embedding::batch_max>("embeddings.batch_max", {1, 2048},
                                            "Texts that are sent to a provider in one call."),
    row<kEmbeddings, &Embedding::batch_tokens>(
        "embeddings.batch_tokens", {16, 10'000'000},
        "Tokens of the texts of one call, estimated; a longer text has a call of its own."),
    row<kEmbeddings, &Embedding::at_once>("embeddings.at_once", {1, 64},
                                          "Calls for embeddings that are under way at once."),
    row<kEmbeddings, &Embedding::waiting_max>("embeddings.waiting_max", kCount,
                                              "Texts that wait for a call; more are refused."),
    row<kEmbeddings, &Embedding::cache_memory>(
        "embeddings.cache_memory", {0, 64 * kGiB},
        "Memory for embeddings of texts seen before; least lately used go first."),
    row<kEmbeddings, &Embedding::cache_max>(
        "embeddings.cache_max", {0, 1024 * kGiB},
        "Embeddings kept in the database by their text, so that none is paid for twice."),
    row<kEmbeddings, &Embedding::cache_entries>("embeddings.cache_entries", {0, 100'000'000},
                                                "The same, as a number of texts."),
    row<kEmbeddings, &Embedding::inputs_max>("embeddings.inputs_max", {1, 100'000},
                                             "Texts of one POST /v1/embeddings."),
};

}  // namespace

std::span<const Row> embedding_rows() {
  return kRows;
}

}  // namespace mainstay::config
