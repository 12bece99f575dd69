// SPDX-License-Identifier: BSL-1.0
// A small gateway, whose size is measured: frames arrive in bursts, wait in a queue, are parsed into messages, and both leave in
// another order than they came. FIRMWARE_LEVEL is `checked`, `unchecked`, or `none`: then the same is done with plain arrays
// and flags, as one would write it without the library. Ends with 0 when every frame was delivered and all counts are right.
#include <fixpool/memory_pool.hpp>
#include <fixpool/typed_pool.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

namespace {

struct frame {
    std::uint8_t sender;
    std::uint8_t length;  // bytes of the payload
    std::uint8_t payload[62];
};

/// A frame's meaning, kept for a while: once it is old it is delivered.
struct message {
    message(std::uint8_t from, std::uint32_t sum, std::uint32_t time) : sender(from), checksum(sum), due(time) {}
    std::uint8_t sender;
    std::uint32_t checksum;
    std::uint32_t due;
};

constexpr std::size_t frame_count = 16;
constexpr std::size_t message_count = 24;

// ---- where frames and messages live

enum class level { none, unchecked, checked };

/// By pools on static buffers.
template <level L> class memory {
    static constexpr fixpool::checking checking =
        L == level::checked ? fixpool::checking::checked : fixpool::checking::unchecked;
    using frame_pool = fixpool::basic_memory_pool<checking>;
    using message_pool = fixpool::typed_pool<message, checking>;
    static constexpr fixpool::pool_layout frame_layout{sizeof(frame), frame_count, alignof(frame)};

public:
    using owned_message = fixpool::block<message, checking>;

    frame* take_frame() {
        void* const bytes = frames_.try_allocate();
        return bytes == nullptr ? nullptr : ::new (bytes) frame;
    }
    void give_back(frame* f) { frames_.deallocate(f); }
    owned_message make_message(std::uint8_t sender, std::uint32_t checksum, std::uint32_t due) {
        return messages_.try_allocate(sender, checksum, due);
    }
    [[nodiscard]] bool is_empty() const { return frames_.in_use() == 0 && messages_.in_use() == 0; }

    /// Releases a frame twice, on purpose; whether that was found, where it is looked for.
    bool finds_misuse() {
        if constexpr (L == level::checked) {
            fixpool::set_violation_handler(&record);
            frame* const f = take_frame();
            give_back(f);
            give_back(f);
            return violations_ == 1 && frames_.available() == frame_count;
        } else {
            return true;
        }
    }

private:
    static void record(const fixpool::violation& v) {
        if (v.kind == fixpool::violation_kind::double_free) ++violations_;
    }

    alignas(8) inline static std::byte frame_bytes_[frame_pool::required_bytes(frame_layout)];
    alignas(8) inline static std::byte message_bytes_[message_pool::required_bytes(message_count)];
    inline static int violations_ = 0;
    frame_pool frames_{frame_layout, fixpool::arena::borrow(frame_bytes_), {.name = "frames"}};
    message_pool messages_{message_count, fixpool::arena::borrow(message_bytes_), {.name = "messages"}};
};

/// By arrays, with a flag for each element; the first one that is free is taken.
template <> class memory<level::none> {
    template <class T, std::size_t Count> struct array {
        alignas(T) std::byte bytes[Count * sizeof(T)];
        bool is_used[Count];

        void* take() {
            for (std::size_t i = 0; i < Count; ++i)
                if (!is_used[i]) {
                    is_used[i] = true;
                    return bytes + i * sizeof(T);
                }
            return nullptr;
        }
        void give_back(const void* p) {
            is_used[static_cast<std::size_t>(static_cast<const std::byte*>(p) - bytes) / sizeof(T)] = false;
        }
        [[nodiscard]] bool is_empty() const {
            for (const bool used : is_used)
                if (used) return false;
            return true;
        }
    };
    inline static array<frame, frame_count> frames_;
    inline static array<message, message_count> messages_;

public:
    class owned_message {
    public:
        owned_message() = default;
        explicit owned_message(message* m) : message_(m) {}
        owned_message(owned_message&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
        owned_message& operator=(owned_message&& other) noexcept {
            std::swap(message_, other.message_);
            return *this;
        }
        ~owned_message() { reset(); }
        message* operator->() const { return message_; }
        explicit operator bool() const { return message_ != nullptr; }
        void reset() {
            if (message_ != nullptr) messages_.give_back(std::exchange(message_, nullptr));
        }

    private:
        message* message_ = nullptr;
    };

    frame* take_frame() {
        void* const bytes = frames_.take();
        return bytes == nullptr ? nullptr : ::new (bytes) frame;
    }
    void give_back(frame* f) { frames_.give_back(f); }
    owned_message make_message(std::uint8_t sender, std::uint32_t checksum, std::uint32_t due) {
        void* const bytes = messages_.take();
        return bytes == nullptr ? owned_message() : owned_message(::new (bytes) message(sender, checksum, due));
    }
    [[nodiscard]] bool is_empty() const { return frames_.is_empty() && messages_.is_empty(); }
    bool finds_misuse() { return true; }
};

// ---- the gateway

std::uint32_t sum_of(const frame& f) {
    std::uint32_t sum = f.sender;
    for (std::size_t i = 0; i < f.length; ++i) sum = sum * 31 + f.payload[i];
    return sum;
}

template <level L> class gateway {
public:
    /// A frame arrives; with no memory for it, it is dropped.
    void receive(std::uint8_t sender) {
        frame* const f = memory_.take_frame();
        if (f == nullptr) {
            ++dropped;
            return;
        }
        f->sender = sender;
        f->length = static_cast<std::uint8_t>(random() % sizeof f->payload);
        for (std::size_t i = 0; i < f->length; ++i) f->payload[i] = static_cast<std::uint8_t>(random());
        expected += sum_of(*f);
        queue_[(first_ + queued_++) % frame_count] = f;
    }

    /// The oldest frame becomes a message, unless there is no room for it.
    void parse(std::uint32_t now) {
        if (queued_ == 0) return;
        frame* const f = queue_[first_];
        for (auto& place : pending_) {
            if (place) continue;
            place = memory_.make_message(f->sender, sum_of(*f), now + f->sender % 7u);
            if (!place) return;
            memory_.give_back(f);
            first_ = (first_ + 1) % frame_count;
            --queued_;
            return;
        }
    }

    /// What is due goes out.
    void deliver(std::uint32_t now) {
        for (auto& place : pending_) {
            if (!place || place->due > now) continue;
            delivered += place->checksum;
            ++count;
            place.reset();
        }
    }

    bool run() {
        std::uint32_t received = 0;
        std::uint32_t now = 0;
        for (; now < 2000; ++now) {
            const std::uint32_t burst = random() % 64 == 0 ? 12 : random() % 2;
            for (std::uint32_t i = 0; i < burst; ++i) receive(static_cast<std::uint8_t>(++received));
            parse(now);
            deliver(now);
        }
        for (; now < 2100; ++now) {
            parse(now);
            deliver(now);
        }
        return memory_.is_empty() && delivered == expected && count + dropped == received && dropped != 0 &&
               memory_.finds_misuse();
    }

private:
    std::uint32_t random() {
        seed_ ^= seed_ << 13;
        seed_ ^= seed_ >> 17;
        seed_ ^= seed_ << 5;
        return seed_ >> 3;
    }

    memory<L> memory_;
    frame* queue_[frame_count] = {};
    std::size_t first_ = 0;
    std::size_t queued_ = 0;
    typename memory<L>::owned_message pending_[message_count];
    std::uint32_t seed_ = 0x2545f491;
    std::uint32_t expected = 0;
    std::uint32_t delivered = 0;
    std::uint32_t count = 0;
    std::uint32_t dropped = 0;
};

}  // namespace

int main() {
    gateway<level::FIRMWARE_LEVEL> g;
    return g.run() ? 0 : 1;
}
