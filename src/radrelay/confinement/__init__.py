"""How programs of others are held: what they may read, write, reach and take, and the folders that they work in.

launcher     takes the limits upon itself, then becomes the program
folders      folders of their own, removed at their end
"""
