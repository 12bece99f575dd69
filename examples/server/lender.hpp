// SPDX-License-Identifier: BSL-1.0
// lender: lends the objects of a pool. Borrowers that find none wait in a queue, first come, first served.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

/// `Handle` owns an object of the pool: a shared_block, or a unique_ptr.
/// The pool's capacity must be exact. If a free object could hide in another thread's cache, a borrower would wait
/// although nobody will return one.
/// Thread safety: any thread may call any member.
// Invariant: if an object is free while somebody is in the queue, the loan that returned the object serves him.
template <class Handle> class lender {
public:
    using clock = std::chrono::steady_clock;

    /// Owns a lent object. Its destructor returns the object to the lender.
    class loan {
    public:
        loan() = default;
        loan(lender* from, Handle object) : from_(from), object_(std::move(object)) {}
        loan(loan&& other) noexcept : from_(other.from_), object_(std::move(other.object_)) {}
        loan& operator=(loan&& other) noexcept {
            reset();
            from_ = other.from_;
            object_ = std::move(other.object_);
            return *this;
        }
        ~loan() { reset(); }
        void reset() noexcept {
            if (!object_) return;
            object_.reset();
            from_->returned();
        }
        [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(object_); }
        auto& operator*() const noexcept { return *object_; }
        auto* operator->() const noexcept { return object_.get(); }

    private:
        lender* from_ = nullptr;
        Handle object_{};
    };

    /// Somebody who may wait.
    class borrower {
    public:
        borrower() = default;
        borrower(const borrower&) = delete;
        borrower& operator=(const borrower&) = delete;

    protected:
        ~borrower() = default;

    private:
        friend lender;
        /// Called once, by any thread, while the lender's lock is held: only pass the loan on.
        virtual void lent(loan object) = 0;

        borrower* next_ = nullptr;
        clock::time_point since_{};
    };

    /// `make` returns an object of the pool, or an empty handle. `shortage` is printed when somebody must wait.
    lender(std::function<Handle()> make, std::string shortage)
        : make_(std::move(make)), shortage_(std::move(shortage)) {}

    /// An object at once, or nothing. With nothing, `who` waits, and `lent` is called later, maybe before this returns.
    [[nodiscard]] loan take(borrower& who) {
        if (waiting_.load(std::memory_order_acquire) == 0) {  // nobody is overtaken
            if (Handle object = make_()) return loan(this, std::move(object));
        }
        bool tells = false;
        {
            const std::lock_guard lock(mutex_);
            // A loan that does not see this has returned its object: make_ finds it. A loan that sees it serves us.
            waiting_.fetch_add(1, std::memory_order_acq_rel);
            if (first_ == nullptr) {
                if (Handle object = make_()) {
                    waiting_.fetch_sub(1, std::memory_order_acq_rel);
                    return loan(this, std::move(object));
                }
            }
            who.next_ = nullptr;
            who.since_ = clock::now();
            (first_ == nullptr ? first_ : last_->next_) = &who;
            last_ = &who;
            waits_.fetch_add(1, std::memory_order_relaxed);
            if (who.since_ - told_ >= std::chrono::seconds(1)) {
                told_ = who.since_;
                tells = true;
            }
        }
        if (tells) std::fprintf(stderr, "server: %s (%zu waits so far)\n", shortage_.c_str(), waits());
        return {};
    }

    /// Removes `who` from the queue. False if it is not there: `lent` was called.
    bool forget(borrower& who) {
        const std::lock_guard lock(mutex_);
        borrower* before = nullptr;
        for (borrower* one = first_; one != nullptr; before = one, one = one->next_) {
            if (one != &who) continue;
            (before == nullptr ? first_ : before->next_) = who.next_;
            if (last_ == &who) last_ = before;
            waiting_.fetch_sub(1, std::memory_order_acq_rel);
            return true;
        }
        return false;
    }

    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t waits() const noexcept { return waits_.load(std::memory_order_relaxed); }
    [[nodiscard]] double longest_wait() const noexcept { return longest_.load(std::memory_order_relaxed); }  // seconds

private:
    void returned() noexcept {
        // A write, which is ordered with that in `take`. A plain load could miss it while `take` misses our object.
        if (waiting_.fetch_add(0, std::memory_order_acq_rel) == 0) return;
        const std::lock_guard lock(mutex_);
        while (first_ != nullptr) {
            Handle object = make_();
            if (!object) return;
            borrower& who = *std::exchange(first_, first_->next_);
            waiting_.fetch_sub(1, std::memory_order_acq_rel);
            const double waited = std::chrono::duration<double>(clock::now() - who.since_).count();
            if (waited > longest_wait()) longest_.store(waited, std::memory_order_relaxed);
            who.lent(loan(this, std::move(object)));  // `who` may be gone from now on
        }
    }

    const std::function<Handle()> make_;
    const std::string shortage_;
    std::atomic<std::size_t> waiting_ = 0;  // in the queue, or about to enter it
    std::atomic<std::size_t> waits_ = 0;
    std::atomic<double> longest_ = 0;  // seconds, of those that were served
    std::mutex mutex_;                 // guards the members below
    borrower* first_ = nullptr;
    borrower* last_ = nullptr;
    clock::time_point told_{};
};
