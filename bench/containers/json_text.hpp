// SPDX-License-Identifier: BSL-1.0
// json_text: generates JSON documents like the usual benchmark files of parsers. The same ones on every machine.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>

class json_text {
public:
    /// Messages: nested objects of many members, long and short strings, some numbers.
    static std::string messages(int count) {
        json_text made(1);
        made.text_ = R"({"statuses":[)";
        for (int i = 0; i < count; ++i) made.separated(i).message(true);
        return made.text_ + R"(],"search_metadata":{"completed_in":0.087,"count":100}})";
    }

    /// A catalogue of events: small objects with numbers as keys, and arrays of integers.
    static std::string catalogue(int count) {
        json_text made(2);
        made.text_ = R"({"events":{)";
        for (int i = 0; i < count; ++i) made.separated(i).event();
        made.text_ += R"(},"performances":[)";
        for (int i = 0; i < count; ++i) made.separated(i).performance();
        return made.text_ + "]}";
    }

    /// Shapes on a map: arrays of pairs of numbers.
    static std::string shapes(int count) {
        json_text made(3);
        made.text_ = R"({"type":"FeatureCollection","features":[)";
        for (int i = 0; i < count; ++i) made.separated(i).outline();
        return made.text_ + "]}";
    }

private:
    explicit json_text(std::uint32_t seed) : random_(seed) {}

    std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }

    json_text& separated(int number) {
        if (number > 0) text_ += ',';
        return *this;
    }
    json_text& add(const char* raw) {
        text_ += raw;
        return *this;
    }
    json_text& number(std::uint64_t value) {
        text_ += std::to_string(value);
        return *this;
    }
    json_text& id() { return number((std::uint64_t{500'000'000} + below(90'000'000)) * 1'000'000 + below(1'000'000)); }

    json_text& words(std::uint32_t count) {
        static constexpr std::array all = {
            "a",      "to",        "the",       "of",       "and",     "light",           "house",
            "river",  "letter",    "morning",   "quickly",  "kitchen", R"(\u3042\u308a)", "window",
            "garden", R"(\"so\")", "yesterday", "together", "remember"};
        for (std::uint32_t i = 0; i < count; ++i) add(i > 0 ? " " : "").add(all[below(all.size())]);
        return *this;
    }
    json_text& address() {
        add(R"(http:\/\/pbs.example.com\/images\/)").number(below(1'000'000)).add(R"(\/)");
        return words(1 + below(2)).add("_normal.png");
    }

    json_text& user() {
        add(R"({"id":)").id().add(R"(,"name":")").words(1 + below(3)).add(R"(","screen_name":")").words(1);
        add(R"(","location":")").words(below(4)).add(R"(","description":")").words(4 + below(20));
        add(R"(","url":null,"protected":false,"followers_count":)").number(below(20'000)).add(R"(,"friends_count":)");
        number(below(2'000)).add(R"(,"created_at":"Sun Aug 31 00:29:15 +0000 2014","verified":false,"lang":"ja",)");
        add(R"("profile_image_url":")").address().add(R"(","profile_banner_url":")").address();
        return add(R"(","default_profile":true,"following":false,"notifications":false})");
    }

    json_text& message(bool may_quote) {
        add(R"({"metadata":{"result_type":"recent","iso_language_code":"ja"},)");
        add(R"("created_at":"Sun Aug 31 00:29:15 +0000 2014","id":)").id().add(R"(,"text":")").words(5 + below(20));
        add(R"(","source":"<a href=\"http:\/\/example.com\">client<\/a>","truncated":false,)");
        add(R"("in_reply_to_status_id":null,"user":)").user().add(R"(,"geo":null,"place":null,)");
        if (may_quote && below(3) == 0) add(R"("retweeted_status":)").message(false).add(",");
        add(R"("retweet_count":)").number(below(100)).add(R"(,"entities":{"hashtags":[)");
        for (int i = 0; i < static_cast<int>(below(3)); ++i)
            separated(i).add(R"({"text":")").words(1).add(R"(","indices":[)").number(below(70)).add(",133]}");
        return add(R"(],"symbols":[],"urls":[],"user_mentions":[]},"favorited":false,"lang":"ja"})");
    }

    json_text& event() {
        add("\"")
            .number(138'000'000 + below(1'000'000'000))
            .add(R"(":{"description":null,"id":)")
            .number(below(1 << 28));
        add(R"(,"logo":")").words(below(2)).add(R"(","name":")").words(1 + below(6)).add(R"(","subTopicIds":[)");
        const int topics = 1 + static_cast<int>(below(4));
        for (int i = 0; i < topics; ++i) separated(i).number(337'184'262 + below(32));
        return add(R"(],"subjectCode":null,"subtitle":null,"topicIds":[324846099,107888604]})");
    }

    json_text& performance() {
        add(R"({"eventId":)").number(below(1 << 28)).add(R"(,"id":)").number(below(1 << 28)).add(R"(,"prices":[)");
        const int prices = 1 + static_cast<int>(below(5));
        for (int i = 0; i < prices; ++i) {
            separated(i).add(R"({"amount":)").number(1 + below(200)).add(R"(000,"seatCategoryId":)");
            number(338'937'235).add("}");
        }
        add(R"(],"seatCategories":[)");
        for (int i = 0; i < prices; ++i) {
            separated(i).add(R"({"areas":[)");
            const int areas = 1 + static_cast<int>(below(5));
            for (int area = 0; area < areas; ++area)
                separated(area).add(R"({"areaId":)").number(205'705'993 + below(20)).add(R"(,"blockIds":[]})");
            add(R"(],"seatCategoryId":)").number(338'937'235 + below(30)).add("}");
        }
        return add(R"(],"logo":null,"name":null,"start":)").number(1'372'701'600 + below(10'000'000)).add("}");
    }

    json_text& outline() {
        add(R"({"type":"Feature","properties":{"name":")").words(2).add(R"("},"geometry":{"type":"Polygon",)");
        add(R"("coordinates":[[)");
        const int points = 10 + static_cast<int>(below(below(3) == 0 ? 400 : 60));
        for (int i = 0; i < points; ++i) {
            std::array<char, 64> point{};
            std::snprintf(point.data(), point.size(), "[-%u.%06u,%u.%06u]", 50 + below(90), below(1'000'000),
                          42 + below(40), below(1'000'000));
            separated(i).add(point.data());
        }
        return add("]]}}");
    }

    std::mt19937 random_;  // the same numbers on every machine
    std::string text_;
};
