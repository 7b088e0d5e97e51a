#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Memory of a driver with one owner, and copies that wait until they are done.

#include <algorithm>
#include <vector>

#include <tenon/backend/cuda/driver/stream.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// Memory of the device, pinned memory of the host, and events, released together. The driver must outlive it.
template <class Driver>
class DeviceMemory {
public:
    using Event = typename Driver::Event;

    explicit DeviceMemory(Driver& driver) : driver_{driver} {}
    DeviceMemory(const DeviceMemory&) = delete;
    DeviceMemory& operator=(const DeviceMemory&) = delete;
    ~DeviceMemory() {
        for (void* memory : device_) driver_.release(memory);
        for (void* memory : host_) driver_.release_host(memory);
        for (const Event event : events_) driver_.release_event(event);
    }

    /// Room for `count` elements on the device; never null.
    template <class Element>
    Element* allocate(long count) {
        device_.push_back(nullptr);  // the place first, so that nothing is lost if this throws
        device_.back() = driver_.allocate(bytes_of<Element>(std::max(count, 1L)));
        return static_cast<Element*>(device_.back());
    }
    /// The same in pinned memory of the host.
    template <class Element>
    Element* allocate_host(long count) {
        host_.push_back(nullptr);
        host_.back() = driver_.allocate_host(bytes_of<Element>(std::max(count, 1L)));
        return static_cast<Element*>(host_.back());
    }
    Event make_event() {
        events_.reserve(events_.size() + 1);
        events_.push_back(driver_.make_event());
        return events_.back();
    }
    /// Room for `count` zeros on the device.
    template <class Element = float>
    Element* allocate_zeros(long count) {
        Element* const memory = allocate<Element>(count);
        const std::vector<Element> zeros(detail::index(count));
        upload(memory, zeros.data(), count);
        return memory;
    }

    /// Copies to the device, or from it, and waits.
    template <class Element>
    void upload(Element* to, const Element* from, long count) {
        driver_.upload(to, from, bytes_of<Element>(count), Stream::compute);
        driver_.synchronize(Stream::compute);
    }
    template <class Element>
    void download(Element* to, const Element* from, long count) {
        driver_.download(to, from, bytes_of<Element>(count), Stream::compute);
        driver_.synchronize(Stream::compute);
    }

private:
    template <class Element>
    static std::size_t bytes_of(long count) {
        return sizeof(Element) * detail::index(count);
    }

    Driver& driver_;
    std::vector<void*> device_, host_;
    std::vector<Event> events_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
