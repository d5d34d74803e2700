"""Task 3, the member B."""
import member

member.run('B')
