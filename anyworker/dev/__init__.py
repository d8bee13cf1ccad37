"""``anyworker dev``: a dev server, the workers in a process of their own, and a console that shows them.

The server lives in the command's process and the workers in a child: a change of their code ends the child
and starts another. Importing modules again in one process leaves parts of the old code alive (names that
others imported, threads, open connections, registered handlers); a new process cannot. The server, and with
it every running workflow, does not notice.
"""
