"""A workspace looked through: is what lies in it whole, and does it fit together?"""
