"""The board of a class: votes and verdicts of a lesson, live on one page of the teacher's.

`gptlib board` starts it. Students' notebooks send to it (`gptlib.storage.sending`). What the page
shows are words of the course and numbers: a text that a student could have written is never kept.
"""
