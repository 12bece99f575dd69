// SPDX-License-Identifier: BSL-1.0
// A small gateway whose size is measured. Frames arrive in bursts, wait in a queue and are parsed into messages. Both
// leave in another order than they came. FIRMWARE_LEVEL says where they are stored.
//   none       plain arrays and flags, without the library and without checks.
//   by_hand    free lists with checks, as one would write them without the library; misuse traps.
//   unchecked  pools without checks.
//   checked    pools with checks.
//   static_    pools with checks that have their memory inside themselves.
// Ends with 0 if every frame was delivered, all counts are right, and misuse was found where it is checked.
#include <fixpool/memory_pool.hpp>
#include <fixpool/static_pool.hpp>
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

/// A frame's meaning. It is kept for a while, and delivered when it is old.
struct message {
    message(std::uint8_t from, std::uint32_t sum, std::uint32_t time) : sender(from), checksum(sum), due(time) {}
    std::uint8_t sender;
    std::uint32_t checksum;
    std::uint32_t due;
};

constexpr std::size_t frame_count = 16;
constexpr std::size_t message_count = 24;

// ---- where frames and messages live

enum class level { none, by_hand, unchecked, checked, static_ };

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

    /// Releases a frame twice, on purpose. Returns whether the handler got everything, if misuse is checked.
    bool finds_misuse() {
        if constexpr (L == level::checked) {
            frame* const other = take_frame();
            frame* const f = take_frame();
            give_back(f);
            suspect_ = f;
            give_back(f);
            give_back(other);
            return reports_ == 1 && frames_.available() == frame_count;
        } else {
            return true;
        }
    }

private:
    static constexpr fixpool::pool_options frame_options() {
        if constexpr (L == level::checked) return {.name = "frames", .on_violation = &record, .context = &reports_};
        else return {.name = "frames"};
    }
    static void record(const fixpool::violation& v) {
        const auto& frames = *static_cast<const frame_pool*>(v.pool);
        const char first_letter = fixpool::detail::traps ? '\0' : 'f';
        if (v.kind == fixpool::violation_kind::double_free && v.address == suspect_ && v.context == &reports_ &&
            v.total_blocks == frame_count && v.live_blocks == 1 && v.index == frames.index_of(suspect_) &&
            *v.pool_name == first_letter)
            ++*static_cast<int*>(v.context);
    }

    alignas(8) inline static std::byte frame_bytes_[frame_pool::required_bytes(frame_layout)];
    alignas(8) inline static std::byte message_bytes_[message_pool::required_bytes(message_count)];
    inline static const void* suspect_ = nullptr;
    inline static int reports_ = 0;
    frame_pool frames_{frame_layout, fixpool::arena::borrow(frame_bytes_), frame_options()};
    message_pool messages_{message_count, fixpool::arena::borrow(message_bytes_), {.name = "messages"}};
};

/// In static pools. The queue has frames without their handles.
template <> class memory<level::static_> {
    using frame_pool = fixpool::static_pool<frame, frame_count>;

public:
    using owned_message = fixpool::static_block<message, message_count>;

    memory() {
        frames_.set_options({.name = "frames", .on_violation = &record, .context = &reports_});
        messages_.set_options({.name = "messages"});
    }
    frame* take_frame() { return frames_.try_allocate_for_overwrite().release(); }
    void give_back(frame* f) { frames_.adopt(f).reset(); }
    owned_message make_message(std::uint8_t sender, std::uint32_t checksum, std::uint32_t due) {
        return messages_.try_allocate(sender, checksum, due);
    }
    [[nodiscard]] bool is_empty() const { return frames_.in_use() == 0 && messages_.in_use() == 0; }

    /// Releases a frame twice, on purpose.
    bool finds_misuse() {
        frame* const other = take_frame();
        frame* const f = take_frame();
        give_back(f);
        suspect_ = f;
        give_back(f);
        give_back(other);
        return reports_ == 1 && frames_.available() == frame_count;
    }

private:
    static void record(const fixpool::violation& v) {
        const char first_letter = fixpool::detail::traps ? '\0' : 'f';
        if (v.kind == fixpool::violation_kind::double_free && v.address == suspect_ && v.context == &reports_ &&
            v.total_blocks == frame_count && v.live_blocks == 1 && v.index == frames_.index_of(suspect_) &&
            *v.pool_name == first_letter)
            ++*static_cast<int*>(v.context);
    }

    constinit inline static frame_pool frames_;
    constinit inline static fixpool::static_pool<message, message_count> messages_;
    inline static const void* suspect_ = nullptr;
    inline static int reports_ = 0;
};

/// In arrays: the part that is the same for all kinds of arrays.
template <template <class, std::size_t> class Array> class memory_of_arrays {
protected:
    inline static Array<frame, frame_count> frames_;
    inline static Array<message, message_count> messages_;

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
};

/// A flag per element. The first free element is taken.
template <class T, std::size_t Count> struct flagged_array {
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
template <> class memory<level::none> : public memory_of_arrays<flagged_array> {
public:
    bool finds_misuse() { return true; }
};

enum class misuse_kind : std::uint8_t { double_free, not_allocated, foreign, misaligned };

struct misuse {
    misuse_kind kind;
    const void* list;
    const void* address;
    std::size_t index;
    std::size_t total;
    std::size_t live;
};

void (*on_misuse)(const misuse&) = nullptr;  // by default a misuse traps

/// A stack of free indices, and a state per element. Finds what a checked pool finds at a release.
template <class T, std::size_t Count> class checked_array {
    static_assert(Count < 256);
    enum state : std::uint8_t { never, live, released };

public:
    void* take() {
        std::size_t index = carved_;
        if (free_count_ != 0) index = free_[--free_count_];
        else if (carved_ == Count) return nullptr;
        else ++carved_;
        states_[index] = live;
        return bytes_ + index * sizeof(T);
    }
    void give_back(const void* p) {
        const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(p) - reinterpret_cast<std::uintptr_t>(bytes_);
        const std::size_t index = offset / sizeof(T);
        if (offset >= sizeof bytes_) return report(misuse_kind::foreign, p, Count);
        if (offset % sizeof(T) != 0) return report(misuse_kind::misaligned, p, index);
        if (states_[index] != live)
            return report(states_[index] == never ? misuse_kind::not_allocated : misuse_kind::double_free, p, index);
        states_[index] = released;
        free_[free_count_++] = static_cast<std::uint8_t>(index);
    }
    [[nodiscard]] std::size_t in_use() const { return carved_ - free_count_; }
    [[nodiscard]] bool is_empty() const { return in_use() == 0; }

private:
    [[gnu::noinline, gnu::cold]] void report(misuse_kind kind, const void* p, std::size_t index) const {
        if (on_misuse == nullptr) __builtin_trap();
        on_misuse({kind, this, p, index, Count, in_use()});
    }

    alignas(T) std::byte bytes_[Count * sizeof(T)];
    state states_[Count];
    std::uint8_t free_[Count];
    std::size_t free_count_;
    std::size_t carved_;
};
template <> class memory<level::by_hand> : public memory_of_arrays<checked_array> {
public:
    bool finds_misuse() {
        on_misuse = &record;
        frame* const other = take_frame();
        frame* const f = take_frame();
        give_back(f);
        suspect_ = f;
        give_back(f);
        give_back(other);
        return reports_ == 1 && is_empty();
    }

private:
    static void record(const misuse& m) {
        if (m.kind == misuse_kind::double_free && m.list == &frames_ && m.address == suspect_ &&
            m.total == frame_count && m.live == 1 && m.index < frame_count)
            ++reports_;
    }
    inline static const void* suspect_ = nullptr;
    inline static int reports_ = 0;
};

// ---- the gateway

std::uint32_t sum_of(const frame& f) {
    std::uint32_t sum = f.sender;
    for (std::size_t i = 0; i < f.length; ++i) sum = sum * 31 + f.payload[i];
    return sum;
}

template <level L> class gateway {
public:
    /// A frame arrives. If there is no memory, it is dropped.
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

    /// Delivers what is due.
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
