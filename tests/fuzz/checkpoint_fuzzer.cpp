// Whatever a checkpoint holds, also with a right checksum, it is either refused by tenon::Error with a printable
// sentence, or its numbers can be computed with.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include <tenon/train/checkpoints/trainer_state.hpp>
#include <tenon/train/fit_progress.hpp>

#include "fuzzing.hpp"

namespace {

using fuzzing::is_printable;
using fuzzing::require;

using namespace tenon;

/// A file in memory, by its path.
std::string file_of(std::span<const std::byte> bytes) {
    static const int file = ::memfd_create("checkpoint", 0);
    require(file >= 0 && ::ftruncate(file, 0) == 0, "there is a file");
    require(::pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()), "it can be written");
    return "/proc/self/fd/" + std::to_string(file);
}

void read(const std::string& path) {
    const detail::CheckpointFile file{path};
    const detail::TrainerState state = detail::TrainerState::read(file);
    History history;
    if (const TensorEntry* const entry = file.find("history"); entry && entry->dtype == DType::f64) {
        std::vector<double> table(entry->bytes.size() / sizeof(double));
        detail::read_elements<double>(*entry, table);
        history = detail::history_of(table);
    }
    detail::FitProgress progress;
    progress.restore(state, file.value("schedule"), history);
    require(progress.state().step >= 0 && progress.plan(1, true).first_epoch >= 0, "what is restored is possible");
    static_cast<void>(progress.is_over());
    static_cast<void>(progress.epoch_is_over());
    static_cast<void>(progress.learning_rate(schedules::constant(), 0.1));
}

template <class Action>
void try_to(const Action& action) {
    try {
        action();
    } catch (const Error& error) {
        require(is_printable(error.what()), "an error is a printable sentence");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    try_to([&] { read(file_of(bytes)); });
    // The same with a right checksum.
    try_to([&] {
        const SafetensorsFile whole{bytes};
        Metadata metadata = whole.metadata();
        metadata["format"] = detail::checkpoint_format;
        metadata["checksum"] = detail::checksum_of(whole.tensors(), metadata);
        read(file_of(detail::safetensors_bytes(whole.tensors(), metadata)));
    });
    return 0;
}
