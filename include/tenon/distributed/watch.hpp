#pragma once
// IWYU pragma: private, include <tenon/mpi.hpp>

// Watch: notices when the process of another rank has ended, or its machine, and says which and what to resume from.

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <tenon/distributed/world.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// A file descriptor, closed at the end.
class Descriptor {
public:
    explicit Descriptor(int number = -1) : number_{number} {}
    Descriptor(Descriptor&& other) noexcept : number_{std::exchange(other.number_, -1)} {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    int number() const { return number_; }
    explicit operator bool() const { return number_ >= 0; }

private:
    int number_;
};

/// Connections between rank 0 and each other rank. The system closes those of a process that ends, whatever ended it,
/// and gives up those to a machine that no longer answers for 6 seconds; who has not said goodbye before is lost. Then
/// the lowest rank that is left says so on the standard error, and all end with EXIT_FAILURE.
///
/// A rank that can't reach rank 0 over IPv4 is not watched. Rank 0 accepts only who knows a random number that MPI has
/// carried.
template <class Once = void>
class WatchOf {
public:
    /// Called by all ranks.
    explicit WatchOf(distributed::World world) : world_{world} {
        if (world.size() == 1) return;
        Meeting meeting;
        if (world.rank() == 0) meeting = listen();
        world.broadcast(std::span(&meeting, 1));
        if (world.rank() > 0) {
            if (Descriptor rank0 = meet(meeting)) peers_.push_back({std::move(rank0), 0});
            if (peers_.empty()) return;
        } else if (!listener_) {
            return;
        }
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) return;
        stopped_ = Descriptor{ends[0]};
        stop_ = Descriptor{ends[1]};
        start();
    }
    WatchOf(const WatchOf&) = delete;
    WatchOf& operator=(const WatchOf&) = delete;
    ~WatchOf() { leave(); }

    /// What to resume from if a rank is lost.
    void remember_checkpoint(const std::string& path) {
        const std::lock_guard lock{mutex_};
        checkpoint_ = path;
    }

    /// Says goodbye: the others no longer expect this process. What ends after that is not said.
    void leave() {
        if (!thread_.joinable()) return;
        stop_ = Descriptor{};
        thread_.join();
        for (const Peer& peer : peers_) send(peer, goodbye);
        peers_.clear();
    }

private:
    /// Where rank 0 is, how to know it, and how it knows others.
    struct Meeting {
        std::uint16_t port = 0;
        std::uint32_t count = 0;
        std::array<std::uint32_t, 16> addresses{};
        std::array<std::uint32_t, 4> question{}, answer{};
        std::array<char, 128> place{};
    };
    struct Greeting {
        std::array<std::uint32_t, 4> question{};
        std::int32_t rank = 0;
    };
    struct Peer {
        Descriptor socket;
        int rank;
    };
    static constexpr char goodbye = 'g', all_end = 'e';

    /// The same text for processes whose 127.0.0.1 is the same.
    static std::array<char, 128> own_place() {
        std::array<char, 128> place{};
        std::ifstream("/proc/sys/kernel/random/boot_id").getline(place.data(), 64);
        const std::size_t used = std::strlen(place.data());
        if (::readlink("/proc/self/ns/net", place.data() + used, place.size() - 1 - used) < 0) place[used] = '\0';
        return place;
    }

    Meeting listen() {
        Meeting meeting;
        sockaddr_in any{};
        any.sin_family = AF_INET;
        socklen_t size = sizeof any;
        Descriptor socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        if (!socket || ::bind(socket.number(), as_address(any), size) != 0 ||
            ::listen(socket.number(), world_.size()) != 0 ||
            ::getsockname(socket.number(), as_address(any), &size) != 0)
            return meeting;
        std::random_device random;
        for (auto* numbers : {&meeting.question, &meeting.answer})
            for (std::uint32_t& number : *numbers) number = random();
        meeting.place = own_place();
        meeting.port = any.sin_port;
        ifaddrs* all = nullptr;
        if (::getifaddrs(&all) != 0) all = nullptr;
        for (const ifaddrs* one = all; one && meeting.count < meeting.addresses.size(); one = one->ifa_next) {
            if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET || (one->ifa_flags & IFF_LOOPBACK) != 0) continue;
            sockaddr_in address{};
            std::memcpy(&address, one->ifa_addr, sizeof address);
            meeting.addresses[meeting.count++] = address.sin_addr.s_addr;
        }
        if (all) ::freeifaddrs(all);
        meeting_ = meeting;
        listener_ = std::move(socket);
        return meeting;
    }

    /// A connection to rank 0; none if it can't be reached.
    Descriptor meet(const Meeting& meeting) const {
        if (meeting.port == 0) return Descriptor{};
        if (meeting.place == own_place()) return greet(meeting, htonl(INADDR_LOOPBACK));
        for (std::uint32_t i = 0; i < meeting.count; ++i)
            if (Descriptor found = greet(meeting, meeting.addresses[i])) return found;
        return Descriptor{};
    }
    Descriptor greet(const Meeting& meeting, std::uint32_t address) const {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = meeting.port;
        to.sin_addr.s_addr = address;
        Descriptor socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        if (!socket) return socket;
        prepare(socket);
        const Greeting greeting{meeting.question, world_.rank()};
        std::array<std::uint32_t, 4> answer{};
        if (::connect(socket.number(), as_address(to), sizeof to) == 0 &&
            ::send(socket.number(), &greeting, sizeof greeting, MSG_NOSIGNAL) == sizeof greeting &&
            ::recv(socket.number(), &answer, sizeof answer, MSG_WAITALL) == sizeof answer && answer == meeting.answer)
            return socket;
        return Descriptor{};
    }
    /// Lets no call wait longer than 2 seconds, and has the system ask every 2 whether the other machine is there.
    static void prepare(const Descriptor& socket) {
        const timeval wait{2, 0};
        ::setsockopt(socket.number(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        ::setsockopt(socket.number(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
        const auto set = [&](int level, int name, int value) {
            ::setsockopt(socket.number(), level, name, &value, sizeof value);
        };
        set(SOL_SOCKET, SO_KEEPALIVE, 1);
        set(IPPROTO_TCP, TCP_KEEPIDLE, 2);
        set(IPPROTO_TCP, TCP_KEEPINTVL, 2);
        set(IPPROTO_TCP, TCP_KEEPCNT, 2);
    }
    static sockaddr* as_address(sockaddr_in& address) { return reinterpret_cast<sockaddr*>(&address); }

    static void send(const Peer& peer, char message) { ::send(peer.socket.number(), &message, 1, MSG_NOSIGNAL); }

    /// The thread handles no signals: they are the program's.
    void start() {
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        try {
            thread_ = std::thread{[this] { watch(); }};
        } catch (const std::system_error&) {
            peers_.clear();
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    void watch() {
        std::vector<pollfd> events;
        for (;;) {
            events.assign({{stopped_.number(), POLLIN, 0}, {listener_.number(), POLLIN, 0}});
            for (const Peer& peer : peers_) events.push_back({peer.socket.number(), POLLIN, 0});
            if (::poll(events.data(), static_cast<nfds_t>(events.size()), -1) < 0) continue;
            if (events[0].revents != 0) return;
            for (std::size_t i = peers_.size(); i-- > 0;)
                if (events[i + 2].revents != 0) hear(i);
            if (events[1].revents != 0) admit();
        }
    }
    void admit() {
        Peer peer{Descriptor{::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC)}, -1};
        if (!peer.socket) return;
        prepare(peer.socket);
        Greeting greeting;
        if (::recv(peer.socket.number(), &greeting, sizeof greeting, MSG_WAITALL) != sizeof greeting ||
            greeting.question != meeting_.question)
            return;
        peer.rank = greeting.rank;
        if (::send(peer.socket.number(), &meeting_.answer, sizeof meeting_.answer, MSG_NOSIGNAL) > 0)
            peers_.push_back(std::move(peer));
    }
    void hear(std::size_t index) {
        char message = 0;
        const Peer& peer = peers_[index];
        const ssize_t size = ::recv(peer.socket.number(), &message, 1, 0);
        if (size < 0 && (errno == EINTR || errno == EAGAIN)) return;
        if (size == 1 && message == all_end) std::_Exit(EXIT_FAILURE);
        if (size != 1) lose(peer.rank);
        peers_.erase(peers_.begin() + static_cast<std::ptrdiff_t>(index));
    }
    [[noreturn]] void lose(int rank) {
        // Whoever is next to rank 0 says that it is lost, and gets a second for it.
        if (rank == 0 && world_.rank() > 1) std::this_thread::sleep_for(std::chrono::seconds{1});
        if (rank > 0 || world_.rank() == 1) {
            std::string text = world_.name(rank) + " failed: its process has ended, or its machine does not answer";
            const std::lock_guard lock{mutex_};
            if (!checkpoint_.empty()) text += "; the last checkpoint: " + checkpoint_;
            text += "\n";
            if (::write(STDERR_FILENO, text.data(), text.size()) < 0) std::_Exit(EXIT_FAILURE);
        }
        for (const Peer& peer : peers_)
            if (peer.rank != rank) send(peer, all_end);
        std::_Exit(EXIT_FAILURE);
    }

    distributed::World world_;
    Meeting meeting_;
    Descriptor listener_, stopped_, stop_;
    std::vector<Peer> peers_;  ///< the thread's while there is one
    std::mutex mutex_;
    std::string checkpoint_;
    std::thread thread_;
};
using Watch = WatchOf<>;

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
