# It ends in an abort, and prints addresses and paths.
fixpool_program(guide_misuse misuse.cpp)
fixpool_expect(NAME "guide: misuse" COMMAND "$<TARGET_FILE:guide_misuse>" EXIT abort OUTPUT "${expected}" PLACELESS)
