// Takes the place of libnccl.so.2 in tests: its ranks are threads of one process, and the device's memory is that of
// driver_double.cpp. That two ranks send and expect different sizes is an error.
#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

extern "C" int cuCtxGetCurrent(void** context);

namespace {

/// What a rank asks for: the bytes for and from each other rank.
struct Message {
    const char* from = nullptr;
    char* to = nullptr;
    std::size_t sent = 0, received = 0;
};
using Messages = std::vector<Message>;

struct Group {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<const Messages*> ranks;
    std::size_t arrived = 0;
    long round = 0;

    void wait() {
        std::unique_lock lock{mutex};
        const long mine = round;
        if (++arrived == ranks.size()) {
            arrived = 0;
            ++round;
            changed.notify_all();
        }
        changed.wait(lock, [&] { return round != mine; });
    }
};
struct Communicator {
    std::shared_ptr<Group> group;
    std::size_t rank = 0;
    Messages waiting;
};

std::mutex all_groups;
std::map<std::string, std::shared_ptr<Group>> groups;

constexpr int success = 0, invalid_argument = 4;

thread_local Communicator* grouped = nullptr;
thread_local bool in_group = false;

int exchange(Communicator& mine, const Messages& messages) {
    Group& group = *mine.group;
    group.ranks[mine.rank] = &messages;
    group.wait();
    int status = success;
    for (std::size_t from = 0; from < group.ranks.size(); ++from) {
        const Message& theirs = (*group.ranks[from])[mine.rank];
        const Message& ours = messages[from];
        if (theirs.sent != ours.received)
            status = invalid_argument;
        else if (ours.received > 0)
            std::memcpy(ours.to, theirs.from, ours.received);
    }
    group.wait();
    return status;
}
Communicator& known(void* communicator) {
    void* context = nullptr;
    if (cuCtxGetCurrent(&context) != 0 || !context) std::abort();  // this thread has no current device
    return *static_cast<Communicator*>(communicator);
}

}  // namespace

extern "C" {

struct Id {
    std::array<char, 128> bytes;
};
const char* ncclGetErrorString(int) { return "invalid argument"; }
int ncclGetUniqueId(Id* id) {
    static int number = 0;
    const std::lock_guard lock{all_groups};
    id->bytes = {};
    const std::string text = "group " + std::to_string(++number);
    std::memcpy(id->bytes.data(), text.data(), text.size());
    return success;
}
int ncclCommInitRank(void** communicator, int ranks, Id id, int rank) {
    const std::lock_guard lock{all_groups};
    auto& group = groups[id.bytes.data()];
    if (!group) group = std::make_shared<Group>();
    group->ranks.resize(static_cast<std::size_t>(ranks));
    *communicator = new Communicator{group, static_cast<std::size_t>(rank), Messages(static_cast<std::size_t>(ranks))};
    return success;
}
int ncclCommDestroy(void* communicator) {
    delete static_cast<Communicator*>(communicator);
    return success;
}
int ncclBroadcast(const void* from, void* to, std::size_t count, int type, int root, void* communicator, void*) {
    if (type != 1) return invalid_argument;
    Communicator& mine = known(communicator);
    Messages messages(mine.group->ranks.size());
    messages[static_cast<std::size_t>(root)] = {nullptr, static_cast<char*>(to), 0, count};
    if (mine.rank == static_cast<std::size_t>(root))
        for (Message& message : messages) {
            message.from = static_cast<const char*>(from);
            message.sent = count;
        }
    return exchange(mine, messages);
}
int ncclAllGather(const void* from, void* to, std::size_t count, int type, void* communicator, void*) {
    if (type != 1) return invalid_argument;
    Communicator& mine = known(communicator);
    Messages messages;
    for (std::size_t rank = 0; rank < mine.group->ranks.size(); ++rank)
        messages.push_back({static_cast<const char*>(from), static_cast<char*>(to) + rank * count, count, count});
    return exchange(mine, messages);
}
int ncclGroupStart() {
    in_group = true;
    return success;
}
int ncclGroupEnd() {
    in_group = false;
    if (!grouped) return success;
    Communicator& mine = *grouped;
    grouped = nullptr;
    const int status = exchange(mine, mine.waiting);
    mine.waiting.assign(mine.waiting.size(), {});
    return status;
}
int ncclSend(const void* from, std::size_t count, int type, int peer, void* communicator, void*) {
    if (type != 1 || !in_group) return invalid_argument;  // outside of a group it would wait for ever
    grouped = &known(communicator);
    Message& message = grouped->waiting[static_cast<std::size_t>(peer)];
    message.from = static_cast<const char*>(from);
    message.sent = count;
    return success;
}
int ncclRecv(void* to, std::size_t count, int type, int peer, void* communicator, void*) {
    if (type != 1 || !in_group) return invalid_argument;
    grouped = &known(communicator);
    Message& message = grouped->waiting[static_cast<std::size_t>(peer)];
    message.to = static_cast<char*>(to);
    message.received = count;
    return success;
}

}  // extern "C"
